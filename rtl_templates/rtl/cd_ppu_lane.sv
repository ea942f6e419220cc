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

  function automatic logic signed [17:0] with_sign(input logic negative, input logic [16:0] magnitude);
    return negative ? -$signed({1'b0, magnitude}) : $signed({1'b0, magnitude});
  endfunction

  function automatic logic signed [15:0] clamp(input logic signed [17:0] value, input logic signed [15:0] low,
                                               input logic signed [15:0] high);
    if (value < 18'(low)) return low;
    if (value > 18'(high)) return high;
    return value[15:0];
  endfunction

  localparam int unsigned Late  = 11;        // of the second operand: as long as stages 1 to 11
  localparam int unsigned Part  = 17;        // bits of a factor's parts, whose products are added in the stages behind
  localparam int unsigned Parts = (AccW + Part) / Part;  // of AccW + 1 bits

  // Stage 1: operands. 2: bias. 3: products of parts. 4, 5: their sum. 6: bias behind it. 7: magnitude plus half.
  // 8, 9: shift. 10: sign. 11: clamp.
  logic signed [AccW-1:0]  acc_q1, bias_q1, bias_q2, bias_q3, bias_q4, bias_q5;
  logic [31:0]             mult_q1;
  logic signed [AccW:0]    sum_q2;
  logic signed [32:0]      mult_q2;
  logic signed [2*Part+1:0] part_q3 [Parts][2];
  logic signed [ProdW-1:0] low_d, high_d, low_q4, high_q4, prod_q5, biased_q6;
  logic [ProdW-1:0]        half_q6;
  logic [5:0]              shift_q [8];  // of stage i + 1
  logic [ProdW-1:0]        mag_q7, coarse_q8, shifted;
  logic                    neg_q7, neg_q8, neg_q9;
  logic [16:0]             mag_q9;
  logic signed [17:0]      value_q10;
  logic signed [ActW-1:0]  y_q11;
  logic signed [ActW-1:0]  other_q [Late];
  logic signed [ActW-1:0]  value;

  assign value   = acc_q1[ActW-1:0];

  // Parts of the sum: unsigned but the uppermost.
  logic signed [Part:0] sum_part [Parts];
  for (genvar i = 0; i < Parts; i++) begin : gen_part
    if (i + 1 < Parts) begin : gen_lower
      assign sum_part[i] = $signed({1'b0, sum_q2[Part*i +: Part]});
    end else begin : gen_upper
      assign sum_part[i] = (Part+1)'($signed(sum_q2[AccW:Part*i]));
    end
  end
  assign shifted = coarse_q8 >> shift_q[7][2:0];

  always_comb begin
    low_d  = '0;
    high_d = '0;
    for (int unsigned i = 0; i < Parts; i++) begin
      low_d  = low_d + (ProdW'(part_q3[i][0]) <<< (Part * i));
      high_d = high_d + (ProdW'(part_q3[i][1]) <<< (Part * i));
    end
  end

  always_ff @(posedge clk_i) begin
    acc_q1  <= acc_i;
    bias_q1 <= bias_i;
    mult_q1 <= mult_i;

    sum_q2  <= product_i ? (AccW+1)'((2*ActW)'(value) * (2*ActW)'(other_q[0]))
                         : (AccW+1)'(acc_q1) + (affine_i ? '0 : (AccW+1)'(bias_q1));
    mult_q2 <= $signed({affine_i & mult_q1[31], mult_q1});
    bias_q2 <= affine_i ? bias_q1 : '0;

    for (int unsigned i = 0; i < Parts; i++) begin
      part_q3[i][0] <= (2*Part+2)'(sum_part[i]) * (2*Part+2)'($signed({1'b0, mult_q2[Part-1:0]}));
      part_q3[i][1] <= (2*Part+2)'(sum_part[i]) * (2*Part+2)'($signed(mult_q2[32:Part]));
    end
    bias_q3 <= bias_q2;

    low_q4  <= low_d;
    high_q4 <= high_d;
    bias_q4 <= bias_q3;

    prod_q5 <= low_q4 + (high_q4 <<< Part);
    bias_q5 <= bias_q4;

    biased_q6 <= prod_q5 + ProdW'(bias_q5);
    half_q6   <= (ProdW'(1) << shift_q[4]) >> 1;

    mag_q7  <= ({ProdW{biased_q6[ProdW-1]}} ^ biased_q6) + half_q6 + ProdW'(biased_q6[ProdW-1]);
    neg_q7  <= biased_q6[ProdW-1];

    coarse_q8 <= mag_q7 >> {shift_q[6][5:3], 3'b000};
    neg_q8    <= neg_q7;

    mag_q9  <= |shifted[ProdW-1:16] ? 17'h10000 : shifted[16:0];
    neg_q9  <= neg_q8;

    value_q10 <= with_sign(neg_q9, mag_q9);

    y_q11   <= ActW'(clamp(value_q10, low_i, high_i));

    shift_q[0] <= shift_i;
    for (int unsigned i = 1; i < 8; i++) shift_q[i] <= shift_q[i-1];
    other_q[0] <= other_i;
    for (int unsigned i = 1; i < Late; i++) other_q[i] <= other_q[i-1];
  end

  // Stages 12, 13: operands, in two registers of their own, as a multiplier has them inside: in front of the product, and
  // behind it, where a multiplier made of several adds theirs. 14: scaled. 15: sum. 16: magnitude plus half. 17, 18: shift.
  // 19: sign. 20: clamp.
  logic signed [ActW-1:0] own_q12, own_q13, other_q12, other_q13;
  logic signed [24:0]     m0_q12, m0_q13, m1_q12, m1_q13;
  logic signed [AddW-1:0] p0_q14, p1_q14, add_q15;
  logic [AddW+37:0]       half2_q, mag_q16, coarse_q17, shifted2;
  logic                   neg_q16, neg_q17, neg_q18;
  logic [16:0]            mag_q18;
  logic signed [17:0]     value_q19;
  logic signed [ActW-1:0] y_q [12:20];

  assign shifted2 = coarse_q17 >> shift2_i[2:0];

  always_ff @(posedge clk_i) begin
    own_q12   <= y_q11;
    other_q12 <= other_q[Late-1];
    m0_q12    <= $signed({1'b0, m0_i});
    m1_q12    <= $signed({1'b0, m1_i});

    own_q13   <= own_q12;
    other_q13 <= other_q12;
    m0_q13    <= m0_q12;
    m1_q13    <= m1_q12;

    p0_q14  <= AddW'(own_q13) * AddW'(m0_q13);
    p1_q14  <= AddW'(other_q13) * AddW'(m1_q13);
    add_q15 <= p0_q14 + p1_q14;

    half2_q <= ((AddW+38)'(1) << shift2_i) >> 1;
    mag_q16 <= {38'd0, {AddW{add_q15[AddW-1]}} ^ add_q15} + half2_q
               + (AddW+38)'(add_q15[AddW-1]);
    neg_q16 <= add_q15[AddW-1];

    coarse_q17 <= mag_q16 >> {shift2_i[5:3], 3'b000};
    neg_q17    <= neg_q16;

    mag_q18 <= |shifted2[AddW+37:16] ? 17'h10000 : shifted2[16:0];
    neg_q18 <= neg_q17;

    value_q19 <= with_sign(neg_q18, mag_q18);

    y_q[12] <= y_q11;
    for (int unsigned i = 13; i < 20; i++) y_q[i] <= y_q[i-1];
    y_q[20] <= residual_i ? ActW'(clamp(value_q19, low2_i, high2_i)) : y_q[19];
  end

  assign y_o = y_q[20];

endmodule
