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

  localparam int unsigned Late   = 9;        // of the second operand: as long as stages 1 to 9
  localparam int unsigned MultLo = 17;       // the multiplier in two parts, whose products are added a stage later

  // Stage 1: operands. 2: bias. 3: products. 4: product. 5: bias behind it. 6: magnitude plus half. 7, 8: shift. 9: clamp.
  logic signed [AccW-1:0]  acc_q1, bias_q1, bias_q2, bias_q3, bias_q4;
  logic [31:0]             mult_q1;
  logic signed [AccW:0]    sum_q2;
  logic signed [32:0]      mult_q2;
  logic signed [ProdW-1:0] low_q3, high_q3, prod_q4, biased_q5;
  logic [5:0]              shift_q [7];  // of stage i + 1
  logic [ProdW-1:0]        mag_q6, coarse_q7, shifted;
  logic                    neg_q6, neg_q7, neg_q8;
  logic [16:0]             mag_q8;
  logic signed [ActW-1:0]  y_q9;
  logic signed [ActW-1:0]  other_q [Late];
  logic signed [ActW-1:0]  value;

  assign value   = acc_q1[ActW-1:0];
  assign shifted = coarse_q7 >> shift_q[6][2:0];

  always_ff @(posedge clk_i) begin
    acc_q1  <= acc_i;
    bias_q1 <= bias_i;
    mult_q1 <= mult_i;

    sum_q2  <= product_i ? (AccW+1)'((2*ActW)'(value) * (2*ActW)'(other_q[0]))
                         : (AccW+1)'(acc_q1) + (affine_i ? '0 : (AccW+1)'(bias_q1));
    mult_q2 <= $signed({affine_i & mult_q1[31], mult_q1});
    bias_q2 <= affine_i ? bias_q1 : '0;

    low_q3  <= sum_q2 * $signed({1'b0, mult_q2[MultLo-1:0]});
    high_q3 <= sum_q2 * $signed(mult_q2[32:MultLo]);
    bias_q3 <= bias_q2;

    prod_q4 <= low_q3 + (high_q3 <<< MultLo);
    bias_q4 <= bias_q3;

    biased_q5 <= prod_q4 + ProdW'(bias_q4);

    mag_q6  <= ({ProdW{biased_q5[ProdW-1]}} ^ biased_q5) + ((ProdW'(1) << shift_q[4]) >> 1)
               + ProdW'(biased_q5[ProdW-1]);
    neg_q6  <= biased_q5[ProdW-1];

    coarse_q7 <= mag_q6 >> {shift_q[5][5:3], 3'b000};
    neg_q7    <= neg_q6;

    mag_q8  <= |shifted[ProdW-1:16] ? 17'h10000 : shifted[16:0];
    neg_q8  <= neg_q7;

    y_q9    <= ActW'(clamp(neg_q8, mag_q8, low_i, high_i));

    shift_q[0] <= shift_i;
    for (int unsigned i = 1; i < 7; i++) shift_q[i] <= shift_q[i-1];
    other_q[0] <= other_i;
    for (int unsigned i = 1; i < Late; i++) other_q[i] <= other_q[i-1];
  end

  // Stage 10: scaled operands. 11: sum. 12: magnitude plus half. 13, 14: shift. 15: clamp.
  logic signed [AddW-1:0] p0_q10, p1_q10, add_q11;
  logic [AddW+37:0]       mag_q12, coarse_q13, shifted2;
  logic                   neg_q12, neg_q13, neg_q14;
  logic [16:0]            mag_q14;
  logic signed [ActW-1:0] y_q [10:15];

  assign shifted2 = coarse_q13 >> shift2_i[2:0];

  always_ff @(posedge clk_i) begin
    p0_q10  <= AddW'(y_q9) * AddW'($signed({1'b0, m0_i}));
    p1_q10  <= AddW'(other_q[Late-1]) * AddW'($signed({1'b0, m1_i}));
    add_q11 <= p0_q10 + p1_q10;

    mag_q12 <= {38'd0, {AddW{add_q11[AddW-1]}} ^ add_q11} + (((AddW+38)'(1) << shift2_i) >> 1)
               + (AddW+38)'(add_q11[AddW-1]);
    neg_q12 <= add_q11[AddW-1];

    coarse_q13 <= mag_q12 >> {shift2_i[5:3], 3'b000};
    neg_q13    <= neg_q12;

    mag_q14 <= |shifted2[AddW+37:16] ? 17'h10000 : shifted2[16:0];
    neg_q14 <= neg_q13;

    y_q[10] <= y_q9;
    for (int unsigned i = 11; i < 15; i++) y_q[i] <= y_q[i-1];
    y_q[15] <= residual_i ? ActW'(clamp(neg_q14, mag_q14, low2_i, high2_i)) : y_q[14];
  end

  assign y_o = y_q[15];

endmodule
