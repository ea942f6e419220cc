// Builds bus beats from pieces: words, or where a word is a beat or several, as many bytes as a beat has.
//
// The reverse of cd_unpack: a run may begin at any byte of its first beat. A piece that lies across two beats completes the
// first; the rest of it waits in a register. One piece a cycle; a beat in which none begins takes a cycle of
// its own. A beat has slots of a piece each, and one piece begins in each of them, all at the same byte of it.
module cd_pack #(
  parameter int unsigned AxiBytes   = 16,
  parameter int unsigned PieceBytes = 16,  // at most AxiBytes
  parameter bit          Unaligned  = 1'b1, // 0: no piece lies across two beats
  localparam int unsigned Lg        = $clog2(AxiBytes),
  localparam int unsigned LgPiece   = $clog2(PieceBytes),
  localparam int unsigned SlotW     = Lg > LgPiece ? Lg - LgPiece : 1
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    step_i,        // a piece is there, if need_o, and the beat may be built
  input  logic [PieceBytes*8-1:0] piece_i,
  input  logic                    last_i,        // the beat is the last of its burst
  input  logic                    run_first_i,   // there is a burst, and it begins a run
  input  logic [Lg-1:0]           first_byte_i,  // of the run in its first beat
  input  logic [SlotW-1:0]        last_slot_i,   // of the piece that reaches the burst's last byte
  input  logic                    none_i,        // none begins in the burst's last beat
  input  logic                    begin_last_i,  // the run's first does, if the burst has one beat
  output logic                    need_o,        // the step takes a piece
  output logic                    done_o,        // the step completes the beat
  output logic [AxiBytes*8-1:0]   beat_o
);

  localparam logic [Lg-1:0] Places = Unaligned ? '1 : ~Lg'(PieceBytes - 1);

  logic                     head_q, begins;
  logic [Lg-1:0]            pos_q, pos;   // where in the beat the piece begins
  logic [Lg-1:0]            stop;         // the byte behind it, modulo a beat

  assign begins = head_q && run_first_i;
  assign pos    = (begins ? first_byte_i : pos_q) & Places;
  assign stop   = pos + Lg'(PieceBytes);

  logic full, reaches;                    // the piece fills the beat, reaches the burst's last byte
  if (LgPiece < Lg) begin : gen_several
    logic [SlotW-1:0] slot, begin_slot;
    assign slot       = pos_q[Lg-1:LgPiece];
    assign begin_slot = first_byte_i[Lg-1:LgPiece];
    assign full       = begins ? &begin_slot : &slot;
    assign reaches    = begins ? begin_last_i : slot >= last_slot_i;
  end else begin : gen_single
    assign full    = 1'b1;
    assign reaches = 1'b1;
    logic unused_slot;
    assign unused_slot = ^{last_slot_i, begin_last_i};
  end
  assign need_o = !Unaligned || !(last_i && none_i);
  assign done_o = !need_o || full || (last_i && reaches);

  if (Places == '0) begin : gen_whole
    assign beat_o = piece_i;
  end else begin : gen_parts
    localparam int unsigned Rest = PieceBytes > 1 ? PieceBytes - 1 : 1;
    logic [AxiBytes-1:0][7:0] build_q;    // what the beat has so far, below pos
    logic [Rest-1:0][7:0]     rest_q;     // ... behind a complete beat: the end of a piece that lay across
    logic                     crossed_q;
    logic [AxiBytes-1:0][7:0] turned, begun, beat;
    assign beat_o = beat;
    always_comb begin
      turned = (AxiBytes*8)'(({2{(AxiBytes*8)'(piece_i)}} << {pos, 3'b000}) >> (AxiBytes * 8));
      begun  = build_q;
      if (crossed_q) begun[Rest-1:0] = rest_q;
      for (int unsigned i = 0; i < AxiBytes; i++) beat[i] = Lg'(i) >= pos ? turned[i] : begun[i];
    end
    // Taken in every cycle: without a step, what lies behind pos does not matter, and step_i is known late.
    always_ff @(posedge clk_i) build_q <= beat;
    if (Unaligned) begin : gen_rest
      always_ff @(posedge clk_i) begin
        rest_q    <= turned[Rest-1:0];
        crossed_q <= step_i && done_o;
      end
    end else begin : gen_no_rest
      assign rest_q    = '0;
      assign crossed_q = 1'b0;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_q <= 1'b1;
      pos_q  <= '0;
    end else if (step_i) begin
      head_q <= done_o && last_i;
      pos_q  <= stop;
    end
  end

endmodule
