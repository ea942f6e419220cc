// Builds bus beats from pieces: words, or where a word is a beat or several, as many bytes as a beat has.
//
// The reverse of cd_unpack: a run may begin at any byte of its first beat. A piece that lies across two beats completes the
// first; the rest of it waits in a register. One piece a cycle; a beat in which none begins takes a cycle of
// its own.
module cd_pack #(
  parameter int unsigned AxiBytes   = 16,
  parameter int unsigned PieceBytes = 16,  // at most AxiBytes
  parameter bit          Unaligned  = 1'b1, // 0: no piece lies across two beats
  localparam int unsigned Lg        = $clog2(AxiBytes)
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,
  input  logic                    step_i,        // a piece is there, if need_o, and the beat may be built
  input  logic [PieceBytes*8-1:0] piece_i,
  input  logic                    last_i,        // the beat is the last of its burst
  input  logic                    run_first_i,   // there is a burst, and it begins a run
  input  logic [Lg-1:0]           first_byte_i,  // of the run in its first beat
  input  logic [Lg-1:0]           last_byte_i,   // of the burst in its last beat
  input  logic signed [Lg+1:0]    last_piece_i,  // ... less a piece
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

  // Bounds of the piece where it follows another (0), and where it begins a run (1): which it is is known late.
  localparam int unsigned LgPiece = $clog2(PieceBytes);
  logic [1:0] behind, full, over;         // it begins behind the burst's last byte, fills the beat, ends behind that byte
  for (genvar i = 0; i < 2; i++) begin : gen_bounds
    logic [Lg-1:0] at;
    assign at        = (i == 0 ? pos_q : first_byte_i) & Places;
    if (Places == '0) begin : gen_none
      assign behind[i] = 1'b0;
      logic unused_last;
      assign unused_last = ^last_byte_i;
    end else begin : gen_some
      assign behind[i] = at > last_byte_i;
    end
    assign over[i]   = signed'({2'b00, at}) > last_piece_i;
    if (LgPiece < Lg) begin : gen_several
      assign full[i] = &at[Lg-1:LgPiece];
    end else begin : gen_single
      assign full[i] = 1'b1;
    end
  end
  assign need_o = !Unaligned || !(last_i && behind[begins]);
  assign done_o = !need_o || full[begins] || (last_i && over[begins]);

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
