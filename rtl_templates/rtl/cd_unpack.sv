// Cuts bus beats into pieces: words, or where a word is a beat or several, as many bytes as a beat has.
//
// A run of pieces may begin at any byte of its first beat. A piece that lies across two beats is put together when the
// second arrives: the first one's bytes wait in a register. One piece a cycle; a beat in which none ends takes a
// cycle of its own. What a step does is known in its cycle, the piece itself comes in the next one.
module cd_unpack #(
  parameter int unsigned AxiBytes  = 16,
  parameter bit          Unaligned = 1'b1, // 0: no piece lies across two beats
  parameter int unsigned Granule   = 1,    // bytes; every piece begins at a multiple of it
  localparam int unsigned Lg       = $clog2(AxiBytes)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  step_i,        // a beat is there and may be worked on
  input  logic [AxiBytes*8-1:0] beat_i,
  input  logic                  last_i,        // last beat of its burst
  input  logic                  run_first_i,   // the burst begins a run
  input  logic [Lg-1:0]         first_byte_i,  // of the run in its first beat
  input  logic signed [Lg+1:0]  last_piece_i,  // last byte of the burst in its last beat, less a piece
  input  logic [Lg:0]           piece_bytes_i,
  output logic                  head_o,        // nothing of the burst has been worked on
  output logic                  done_o,        // this step is the beat's last
  output logic                  valid_o,       // this step gives a piece
  output logic [AxiBytes*8-1:0] piece_o        // from the lowest byte up; the cycle after
);

  localparam logic [Lg-1:0] Places = ~Lg'(Granule - 1);

  logic                     head_q, begins;
  logic                     carry_q;         // the piece began in the beat before
  logic [Lg-1:0]            pos_q, pos;      // its first byte in the beat in which it began
  logic [Lg-1:0]            stop;            // the byte behind it, modulo a beat
  logic [AxiBytes-1:0][7:0] mixed_q;         // the piece's bytes, not yet in their places

  assign begins    = head_q && run_first_i;
  assign pos       = (begins ? first_byte_i : pos_q) & Places;
  assign stop      = pos + Lg'(piece_bytes_i);

  // Bounds of the piece where it follows another (0), and where it begins a run (1): which it is is known late.
  logic [1:0] whole, next_ends, last_piece;  // it ends in the beat, the next one beyond it; it ends behind the burst
  for (genvar i = 0; i < 2; i++) begin : gen_bounds
    logic          over;
    logic [Lg-1:0] at;
    logic [Lg+1:0] next_stop;                // the byte behind the next piece
    assign over      = Unaligned && i == 0 && carry_q;
    assign at        = (i == 0 ? pos_q : first_byte_i) & Places;
    assign next_stop = {2'b00, at} + {piece_bytes_i, 1'b0};
    // A carried piece is counted from the beat before: all bounds are a beat further.
    assign whole[i]      = !Unaligned || over || {1'b0, at} + piece_bytes_i <= (Lg+1)'(AxiBytes);
    assign next_ends[i]  = next_stop[Lg+1] ? !over || |next_stop[Lg:0] : !over && next_stop[Lg] && |next_stop[Lg-1:0];
    assign last_piece[i] = over ? signed'({2'b00, at}) > last_piece_i + signed'((Lg+2)'(AxiBytes))
                                : signed'({2'b00, at}) > last_piece_i;
  end

  assign head_o  = head_q;
  assign valid_o = whole[begins];
  assign done_o  = !valid_o || next_ends[begins] || (last_i && last_piece[begins]);

  // ---- The piece, from registers ----
  logic [Lg-1:0] at_q;
  always_ff @(posedge clk_i) begin
    if (step_i) at_q <= pos;
  end

  if (Unaligned) begin : gen_across
    logic [AxiBytes-1:0][7:0] beat_q;        // the beat before
    logic                     carry;
    assign carry   = carry_q && !begins;
    assign piece_o = (AxiBytes*8)'({mixed_q, mixed_q} >> {at_q, 3'b000});
    always_ff @(posedge clk_i) begin
      if (step_i) begin
        for (int unsigned i = 0; i < AxiBytes; i++) begin
          mixed_q[i] <= carry && Lg'(i) >= pos_q ? beat_q[i] : beat_i[i*8 +: 8];
        end
        beat_q <= beat_i;                    // the pieces behind a beat's first do not need it
      end
    end
  end else begin : gen_within
    assign piece_o = mixed_q >> {at_q, 3'b000};
    always_ff @(posedge clk_i) begin
      if (step_i) mixed_q <= beat_i;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_q  <= 1'b1;
      carry_q <= 1'b0;
      pos_q   <= '0;
    end else if (step_i) begin
      head_q  <= done_o && last_i;
      carry_q <= done_o && |stop;
      pos_q   <= valid_o ? stop : pos;
    end
  end

endmodule
