// One lane of post-processing, fully pipelined: bias (product_i: times the second operand), rescale (affine_i: scale, bias,
// shift), clamp, then (residual_i) a scaled addition of the second operand and a second rescale and clamp. Rescaling is value * mult / 2^shift, rounded half away from zero.
module cd_ppu_lane #(
  parameter int unsigned ActW = 8,
  parameter int unsigned AccW = 32
) (
  input  logic                   clk_i,
  input  logic signed [AccW-1:0] acc_i,
  input  logic signed [AccW-1:0] bias_i,
  input  logic [31:0]            mult_i,
  input  logic [5:0]             shift_i,
  input  logic signed [ActW-1:0] other_i,     // second operand, in the same cycle as acc_i
  // Held while anything of a command is in the pipeline:
  input  logic signed [15:0]     low_i,
  input  logic signed [15:0]     high_i,
  input  logic                   residual_i,
  input  logic                   product_i,   // (value * other_i) * mult; value has ActW bits
  input  logic                   affine_i,    // value * mult + bias, mult signed, in place of (value + bias) * mult
  input  logic [23:0]            m0_i,
  input  logic [23:0]            m1_i,
  input  logic [5:0]             shift2_i,
  input  logic signed [15:0]     low2_i,
  input  logic signed [15:0]     high2_i,
  output logic signed [ActW-1:0] y_o          // Latency cycles later
);

  localparam int unsigned ProdW = AccW + 1 + 33;
  localparam int unsigned AddW  = ActW + 26;   // both products and their sum

  function automatic logic signed [15:0] clamp(input logic negative, input logic [16:0] magnitude,
                                               input logic signed [15:0] low, input logic signed [15:0] high);
    logic signed [17:0] value;
    value = negative ? -$signed({1'b0, magnitude}) : $signed({1'b0, magnitude});
    if (value < 18'(low)) return low;
    if (value > 18'(high)) return high;
    return value[15:0];
  endfunction

  // Stage 1: bias. 2: product. 3: magnitude plus half. 4: shift. 5: clamp.
  logic signed [AccW:0]    sum_q;
  logic signed [32:0]      mult_q;
  logic signed [AccW-1:0]  bias_q, bias_q2;
  logic signed [ProdW-1:0] biased;
  logic [5:0]              shift_q, shift_q2, shift_q3;
  logic signed [ProdW-1:0] prod_q;
  logic [ProdW-1:0]        mag_q, shifted;
  logic                    neg_q3, neg_q4;
  logic [16:0]             mag_q4;
  logic signed [ActW-1:0]  y_q5;
  logic signed [ActW-1:0]  other_q [5];

  logic signed [ActW-1:0]  value;
  assign value   = acc_i[ActW-1:0];
  assign shifted = mag_q >> shift_q3;
  assign biased  = prod_q + ProdW'(bias_q2);

  always_ff @(posedge clk_i) begin
    sum_q    <= product_i ? (AccW+1)'((2*ActW)'(value) * (2*ActW)'(other_i))
                          : (AccW+1)'(acc_i) + (affine_i ? '0 : (AccW+1)'(bias_i));
    mult_q   <= $signed({affine_i & mult_i[31], mult_i});
    bias_q   <= affine_i ? bias_i : '0;
    shift_q  <= shift_i;

    prod_q   <= sum_q * mult_q;
    bias_q2  <= bias_q;
    shift_q2 <= shift_q;

    mag_q    <= (biased < 0 ? -biased : biased) + ((ProdW'(1) << shift_q2) >> 1);
    neg_q3   <= biased < 0;
    shift_q3 <= shift_q2;

    mag_q4   <= |shifted[ProdW-1:16] ? 17'h10000 : shifted[16:0];
    neg_q4   <= neg_q3;

    y_q5     <= ActW'(clamp(neg_q4, mag_q4, low_i, high_i));

    other_q[0] <= other_i;
    for (int unsigned i = 1; i < 5; i++) other_q[i] <= other_q[i-1];
  end

  // Stage 6: scaled operands. 7: their sum's magnitude plus half. 8: shift. 9: clamp.
  logic signed [AddW-1:0] p0_q, p1_q, add;
  logic [AddW+37:0]       mag_q7, shifted2;
  logic                   neg_q7, neg_q8;
  logic [16:0]            mag_q8;
  logic signed [ActW-1:0] y_q6, y_q7, y_q8, y_q9;

  assign add      = p0_q + p1_q;
  assign shifted2 = mag_q7 >> shift2_i;

  always_ff @(posedge clk_i) begin
    p0_q   <= AddW'(y_q5) * AddW'($signed({1'b0, m0_i}));
    p1_q   <= AddW'(other_q[4]) * AddW'($signed({1'b0, m1_i}));
    y_q6   <= y_q5;

    mag_q7 <= {38'd0, add < 0 ? -add : add} + (((AddW+38)'(1) << shift2_i) >> 1);
    neg_q7 <= add < 0;
    y_q7   <= y_q6;

    mag_q8 <= |shifted2[AddW+37:16] ? 17'h10000 : shifted2[16:0];
    neg_q8 <= neg_q7;
    y_q8   <= y_q7;

    y_q9   <= residual_i ? ActW'(clamp(neg_q8, mag_q8, low2_i, high2_i)) : y_q8;
  end

  assign y_o = y_q9;

endmodule
