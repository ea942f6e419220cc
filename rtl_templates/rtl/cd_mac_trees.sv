// Cols dot products of Rows channels a cycle: one activation word is broadcast to Cols pipelined adder trees.
//
// Weights are held still in the active registers; the next ones are written row by row into shadow registers and
// become active with swap_i. sum_o follows act_i by 1 + ceil(log2(Rows) / LevelsPerStage) cycles.
//
// With DualRate every multiplier yields, while dual_i is set, two products with weights of half the width that lie in
// the place of one: the weight of column j in its lower half, that of column Cols + j in its upper half. Its operand is
// then high * 2^S + low; a constant added to the product makes the lower S bits non-negative, so that the upper ones
// are the other product as they are.
module cd_mac_trees #(
  parameter  int unsigned Rows           = 16,
  parameter  int unsigned Cols           = 16,
  parameter  int unsigned ActW           = 8,
  parameter  int unsigned WgtW           = 8,
  parameter  bit          DualRate       = 1'b0,
  parameter  int unsigned LevelsPerStage = 2,
  localparam int unsigned SumW           = ActW + WgtW + $clog2(Rows),
  localparam int unsigned Outs           = DualRate ? 2 * Cols : Cols
) (
  input  logic                      clk_i,
  input  logic                      dual_i,     // holds while weights are written and multiplied
  // Next weights: the word of one row, one weight a column.
  input  logic                      wgt_we_i,
  input  logic [$clog2(Rows)-1:0]   wgt_row_i,
  input  logic [Cols-1:0][WgtW-1:0] wgt_data_i,
  input  logic                      swap_i,  // shadow becomes active at the end of this cycle
  input  logic [Rows-1:0][ActW-1:0] act_i,
  output logic [Outs-1:0][SumW-1:0] sum_o
);

  localparam int unsigned ProdW = ActW + WgtW;
  localparam int unsigned HalfW = WgtW / 2;
  localparam int unsigned S     = ActW + HalfW;              // a product of half the width
  // A weight as it is kept: with DualRate its operand without the bits that repeat.
  localparam int unsigned KeepW = DualRate ? WgtW + HalfW + 2 : WgtW;

  if (DualRate && (ActW < HalfW || WgtW < 4)) begin : gen_check
    $error("cd_mac_trees: DualRate needs ActW of half of WgtW or more, and WgtW of 4 or more");
  end

  logic [Cols-1:0][KeepW-1:0]           word;
  logic [Rows-1:0][Cols-1:0][KeepW-1:0] shadow_q, active_q;

  if (DualRate) begin : gen_pairs
    always_comb begin
      for (int unsigned j = 0; j < Cols; j++) begin
        logic                      sign;
        logic [HalfW-1:0]          low, high, mid;
        logic signed [HalfW:0]     top;
        {high, low} = wgt_data_i[j];
        sign        = dual_i ? low[HalfW-1] : high[HalfW-1];
        mid         = dual_i ? {HalfW{sign}} : high;
        top         = dual_i ? (HalfW+1)'(signed'(high)) - (HalfW+1)'(sign) : {(HalfW+1){sign}};
        word[j]     = {top, sign, mid, low};
      end
    end
  end else begin : gen_single
    assign word = wgt_data_i;
    logic unused_dual;
    assign unused_dual = dual_i;
  end

  always_ff @(posedge clk_i) begin
    if (wgt_we_i) shadow_q[wgt_row_i] <= word;
    if (swap_i) active_q <= shadow_q;
  end

  for (genvar j = 0; j < int'(Cols); j++) begin : gen_col
    logic [Rows-1:0][ProdW-1:0] product;

    if (DualRate) begin : gen_dual
      logic signed [Rows-1:0][2*S-1:0] operand;
      logic [Rows-1:0][2*S-1:0] both_q;
      logic [Rows-1:0][S-1:0]   upper;
      logic [S+$clog2(Rows)-1:0] upper_sum;

      always_ff @(posedge clk_i) begin
        for (int unsigned i = 0; i < Rows; i++) begin
          both_q[i] <= (2*S)'(signed'(act_i[i])) * operand[i] + (2*S)'({dual_i, {(S - 1){1'b0}}});
        end
      end
      always_comb begin
        for (int unsigned i = 0; i < Rows; i++) begin
          operand[i] = (2*S)'(signed'({active_q[i][j][KeepW-1:WgtW+1], {(S - WgtW){active_q[i][j][WgtW]}},
                                       active_q[i][j][WgtW-1:0]}));
          upper[i]   = both_q[i][2*S-1:S];
          product[i] = dual_i ? ProdW'(signed'({~both_q[i][S-1], both_q[i][S-2:0]})) : both_q[i][ProdW-1:0];
        end
      end

      cd_adder_tree #(
        .Inputs        (Rows),
        .InW           (S),
        .LevelsPerStage(LevelsPerStage)
      ) u_upper (
        .clk_i,
        .data_i(upper),
        .sum_o (upper_sum)
      );
      assign sum_o[Cols+j] = SumW'(signed'(upper_sum));
    end else begin : gen_one
      for (genvar i = 0; i < int'(Rows); i++) begin : gen_product  // a register of its own: a DSP has it inside
        logic [ProdW-1:0] product_q;
        always_ff @(posedge clk_i) product_q <= ProdW'(signed'(act_i[i])) * ProdW'(signed'(active_q[i][j]));
        assign product[i] = product_q;
      end
    end

    cd_adder_tree #(
      .Inputs        (Rows),
      .InW           (ProdW),
      .LevelsPerStage(LevelsPerStage)
    ) u_tree (
      .clk_i,
      .data_i(product),
      .sum_o (sum_o[j])
    );
  end

endmodule
