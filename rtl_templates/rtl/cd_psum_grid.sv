// Rows x Cols PEs that keep their partial sums: PE (i, j) adds act_i[i] * weight_i[j].
//
// Two stages: the product, then the sum, whose controls (add_i, first_i) come one cycle after the operands. copy_i
// moves all sums to shadow registers; shift_i then moves these one row towards row 0, which is the output.
module cd_psum_grid #(
  parameter int unsigned Rows = 16,
  parameter int unsigned Cols = 16,
  parameter int unsigned ActW = 8,
  parameter int unsigned WgtW = 8,
  parameter int unsigned AccW = 32
) (
  input  logic                      clk_i,
  input  logic [Rows-1:0][ActW-1:0] act_i,
  input  logic [Cols-1:0][WgtW-1:0] weight_i,
  input  logic                      add_i,
  input  logic                      first_i,  // with add_i: forget the former sum
  input  logic                      copy_i,
  input  logic                      shift_i,
  output logic [Cols-1:0][AccW-1:0] row_o
);

  localparam int unsigned ProdW = ActW + WgtW;

  logic [Rows-1:0][Cols-1:0][AccW-1:0] psum, shadow_q;

  // A register of its own for each product and sum: a DSP has both inside.
  for (genvar i = 0; i < int'(Rows); i++) begin : gen_row
    for (genvar j = 0; j < int'(Cols); j++) begin : gen_pe
      logic signed [ProdW-1:0] product_q;
      logic signed [AccW-1:0]  psum_q;
      always_ff @(posedge clk_i) begin
        product_q <= ProdW'(signed'(act_i[i])) * ProdW'(signed'(weight_i[j]));
        if (add_i) psum_q <= (first_i ? '0 : psum_q) + AccW'(product_q);
      end
      assign psum[i][j] = psum_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (copy_i) shadow_q <= psum;
    else if (shift_i) shadow_q[Rows-2:0] <= shadow_q[Rows-1:1];
  end

  assign row_o = shadow_q[0];

endmodule
