// Cols dot products of Rows channels a cycle: one activation word is broadcast to Cols pipelined adder trees.
//
// Weights are held still in the active registers; the next ones are written row by row into shadow registers and
// become active with swap_i. sum_o follows act_i by 1 + ceil(log2(Rows) / LevelsPerStage) cycles.
module cd_mac_trees #(
  parameter  int unsigned Rows           = 16,
  parameter  int unsigned Cols           = 16,
  parameter  int unsigned ActW           = 8,
  parameter  int unsigned WgtW           = 8,
  parameter  int unsigned LevelsPerStage = 2,
  localparam int unsigned SumW           = ActW + WgtW + $clog2(Rows)
) (
  input  logic                      clk_i,
  // Next weights: the word of one row, one weight a column.
  input  logic                      wgt_we_i,
  input  logic [$clog2(Rows)-1:0]   wgt_row_i,
  input  logic [Cols-1:0][WgtW-1:0] wgt_data_i,
  input  logic                      swap_i,  // shadow becomes active at the end of this cycle
  input  logic [Rows-1:0][ActW-1:0] act_i,
  output logic [Cols-1:0][SumW-1:0] sum_o
);

  localparam int unsigned ProdW = ActW + WgtW;

  logic [Rows-1:0][Cols-1:0][WgtW-1:0] shadow_q, active_q;

  always_ff @(posedge clk_i) begin
    if (wgt_we_i) shadow_q[wgt_row_i] <= wgt_data_i;
    if (swap_i) active_q <= shadow_q;
  end

  for (genvar j = 0; j < int'(Cols); j++) begin : gen_col
    logic [Rows-1:0][ProdW-1:0] product_q;

    always_ff @(posedge clk_i) begin
      for (int unsigned i = 0; i < Rows; i++) begin
        product_q[i] <= ProdW'(signed'(act_i[i])) * ProdW'(signed'(active_q[i][j]));
      end
    end

    cd_adder_tree #(
      .Inputs        (Rows),
      .InW           (ProdW),
      .LevelsPerStage(LevelsPerStage)
    ) u_tree (
      .clk_i,
      .data_i(product_q),
      .sum_o (sum_o[j])
    );
  end

endmodule
