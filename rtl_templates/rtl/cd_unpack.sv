// Cuts bus beats into pieces: words, or where a word is a beat or several, as many bytes as a beat has.
//
// A run of pieces may begin at any byte of its first beat. A piece that lies across two beats is put together when the
// second arrives: the first one's bytes wait in a register. One piece a cycle; a beat in which none ends takes a
// cycle of its own.
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
  output logic [AxiBytes*8-1:0] piece_o        // from the lowest byte up
);

  localparam logic [Lg-1:0] Places = ~Lg'(Granule - 1);

  logic                     head_q, begins;
  logic                     carry_q, carry;  // the piece began in the beat before
  logic [Lg-1:0]            pos_q, pos;      // its first byte in the beat in which it began
  logic [Lg:0]              stop;            // the byte behind it, counted as pos
  logic [Lg+1:0]            next_stop;       // the same of the next piece
  logic                     next_ends;       // beyond the beat
  logic                     last_piece;      // it ends behind the burst's last byte
  logic [AxiBytes-1:0][7:0] mixed;

  assign begins    = head_q && run_first_i;
  assign carry     = Unaligned && carry_q && !begins;
  assign pos       = (begins ? first_byte_i : pos_q) & Places;
  assign stop      = {1'b0, pos} + piece_bytes_i;
  assign next_stop = {2'b00, pos} + {piece_bytes_i, 1'b0};
  // A carried piece is counted from the beat before: all bounds are a beat further.
  assign next_ends  = next_stop[Lg+1] ? !carry || |next_stop[Lg:0] : !carry && next_stop[Lg] && |next_stop[Lg-1:0];
  assign last_piece = carry ? signed'({2'b00, pos}) > last_piece_i + signed'((Lg+2)'(AxiBytes))
                            : signed'({2'b00, pos}) > last_piece_i;

  assign head_o  = head_q;
  assign valid_o = !Unaligned || carry || stop <= (Lg+1)'(AxiBytes);
  assign done_o  = !valid_o || next_ends || (last_i && last_piece);

  if (Unaligned) begin : gen_across
    logic [AxiBytes-1:0][7:0] held_q;        // the beat before
    always_comb begin
      for (int unsigned i = 0; i < AxiBytes; i++) mixed[i] = carry && Lg'(i) >= pos ? held_q[i] : beat_i[i*8 +: 8];
      piece_o = (AxiBytes*8)'({mixed, mixed} >> {pos, 3'b000});
    end
    always_ff @(posedge clk_i) begin
      if (step_i) held_q <= beat_i;          // the pieces behind a beat's first do not need it
    end
  end else begin : gen_within
    assign mixed   = beat_i;
    assign piece_o = mixed >> {pos, 3'b000};
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      head_q  <= 1'b1;
      carry_q <= 1'b0;
      pos_q   <= '0;
    end else if (step_i) begin
      head_q  <= done_o && last_i;
      carry_q <= done_o && |stop[Lg-1:0];
      pos_q   <= valid_o ? stop[Lg-1:0] : pos;
    end
  end

endmodule
