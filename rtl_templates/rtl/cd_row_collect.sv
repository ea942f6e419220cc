// The foot of one column of PEs: adds a step's taps and gathers the sums of Cols output channels into one word.
//
// Two halves: one gathers the present step, the other is written out.
module cd_row_collect #(
  parameter  int unsigned Cols = 16,
  parameter  int unsigned SumW = 20,
  parameter  int unsigned AccW = 32,
  localparam int unsigned ColW = $clog2(Cols)
) (
  input  logic                      clk_i,
  input  logic                      valid_i,
  input  logic                      first_i,    // first tap
  input  logic                      last_i,     // last tap
  input  logic                      half_i,
  input  logic [ColW-1:0]           channel_i,
  input  logic [SumW-1:0]           sum_i,
  input  logic                      read_half_i,
  output logic [Cols-1:0][AccW-1:0] word_o
);

  logic [AccW-1:0] total, total_q;
  logic [AccW-1:0] words_q[2*Cols];

  assign total = (first_i ? '0 : total_q) + AccW'(signed'(sum_i));

  always_ff @(posedge clk_i) begin
    if (valid_i) total_q <= total;
    if (valid_i && last_i) words_q[{half_i, channel_i}] <= total;
  end

  always_comb begin
    for (int unsigned m = 0; m < Cols; m++) word_o[m] = words_q[{read_half_i, ColW'(m)}];
  end

endmodule
