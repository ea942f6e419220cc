// Softmax, layer normalisation and GELU in integers, bit for bit as mappings/integer_ops.py defines them (polynomials
// after I-BERT, Kim 2021). Lanes channels a cycle go through one pipeline of multipliers; a row of channels is scanned
// once for each thing that must be known before the next: maximum, sum, result. Divisions and the square root take
// one bit a cycle, once a row.
//
// Results are left in the accumulators: softmax's final values, a layer norm's normalised value (14 fraction bits),
// GELU's product before it is rescaled; post-processing does the rest.
module cd_nonlinear
  import cd_types_pkg::*;
#(
  parameter int unsigned N     = 16,
  parameter int unsigned Lanes = 4,
  parameter int unsigned ActW  = 8,
  parameter int unsigned AccW  = 32,
  parameter int unsigned IbAw  = 12,
  parameter int unsigned WbAw  = 12,
  parameter int unsigned WbW   = 128,             // a word of the weight buffer, which holds softmax's masks
  parameter int unsigned AbAw  = 10
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              cmd_valid_i,
  output logic              cmd_ready_o,
  input  compute_t          cmd_i,
  output logic              done_o,
  output logic              ib_req_o,
  output logic [IbAw-1:0]   ib_addr_o,
  input  logic [N*ActW-1:0] ib_data_i,
  output logic              wb_req_o,
  output logic [WbAw-1:0]   wb_addr_o,
  input  logic [WbW-1:0]    wb_data_i,
  output logic              acc_valid_o,
  output logic [AbAw-1:0]   acc_addr_o,
  output logic [N*AccW-1:0] acc_data_o
);

  localparam int unsigned Groups = N / Lanes;
  localparam int unsigned GrpW   = Groups > 1 ? $clog2(Groups) : 1;
  localparam int unsigned LgN    = $clog2(N);
  localparam int unsigned Depth  = 13;            // from a group's issue to its word
  localparam logic [4:0]  Flush  = 5'(Depth + 1); // cycles until a scan has left the pipeline

  localparam logic [15:0] ExpA = 16'd11288, ExpB = 16'd63962, ErfA = 16'd4732, ErfB = 16'd28983, ErfOne = 16'd16384;
  localparam logic [45:0] ExpC = 46'd22544;

  typedef enum logic [3:0] {
    Idle, Pixels, Words, Row, Scan, Empty, Square, Variance, Normalise, Root, Divide
  } state_e;
  typedef enum logic [1:0] {Largest, Sum, Result} scan_e;

  state_e   state_q;
  scan_e    scan_q;
  compute_t cmd_q;
  logic     is_softmax, is_norm, is_gelu;
  assign is_softmax = cmd_q.op == CompSoftmax;
  assign is_norm    = cmd_q.op == CompNorm;
  assign is_gelu    = cmd_q.op == CompGelu;

  // ---- Scans: word by word, group by group ----
  logic [19:0]     rows_q, row_q, words_q, word_q, stride_q, addr_q, element_q, pixels_q;
  logic [19:0]     mask_q;                        // first mask word of the row
  logic [GrpW-1:0] group_q;
  logic [4:0]      flush_q;
  logic [5:0]      bit_q;
  logic            last_group, last_word, last_row;

  assign last_group = group_q == GrpW'(Groups - 1);
  assign last_word  = word_q == words_q - 20'd1;
  assign last_row   = row_q == rows_q - 20'd1;

  assign cmd_ready_o = state_q == Idle;
  assign ib_req_o    = state_q == Scan && group_q == '0;
  assign ib_addr_o   = IbAw'(cmd_q.tile.ib_base + addr_q);
  assign wb_req_o    = ib_req_o && cmd_q.masked;
  assign wb_addr_o   = WbAw'(cmd_q.tile.wb_base + 22'(mask_q) + 22'(word_q));
  assign done_o      = state_q == Empty && flush_q == 5'd1 && scan_q == Result && last_row;

  logic [35:0] product;
  logic [19:0] row_words;
  assign row_words = (20'(cmd_q.tile.c) + 20'(N - 1)) >> LgN;
  assign product = state_q == Pixels ? 36'(cmd_q.tile.p) * 36'(cmd_q.tile.q)
                                     : 36'(pixels_q) * 36'(row_words);
  logic unused_bits;
  assign unused_bits = ^{product[35:20], cmd_q.tile};

  // ---- What a row's scans find ----
  logic signed [ActW-1:0] largest_q;
  logic signed [31:0]     total_q;
  logic [47:0]            squares_q;
  logic [31:0]            exponentials_q;
  logic [63:0]            variance_q, radicand_q;
  logic [32:0]            remainder_q;
  logic [31:0]            root_q, quotient_q;
  logic [5:0]             shift_q;

  // Leading one of the variance: k = (62 - bit length) / 2 pairs of zeros above it.
  logic [5:0] pairs;
  always_comb begin
    pairs = 6'd31;
    for (int unsigned i = 0; i < 31; i++) begin
      if (variance_q[2*i] || variance_q[2*i+1]) pairs = 6'(30 - i);
    end
  end

  // One digit of the square root, one bit of a quotient of a power of two.
  logic [33:0] root_next, root_trial, divide_next, divisor;
  assign root_next   = {remainder_q[31:0], radicand_q[61:60]};
  assign root_trial  = {root_q, 2'b01};
  assign divisor     = is_norm ? {2'b00, root_q} : {2'b00, exponentials_q};
  assign divide_next = {remainder_q[32:0], bit_q == 6'd0};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q     <= Idle;
      scan_q      <= Result;
      rows_q      <= '0;
      row_q       <= '0;
      words_q     <= '0;
      word_q      <= '0;
      stride_q    <= '0;
      addr_q      <= '0;
      element_q   <= '0;
      pixels_q    <= '0;
      mask_q      <= '0;
      group_q     <= '0;
      flush_q     <= '0;
      bit_q       <= '0;
      variance_q  <= '0;
      radicand_q  <= '0;
      remainder_q <= '0;
      root_q      <= '0;
      quotient_q  <= '0;
      shift_q     <= '0;
    end else begin
      unique case (state_q)
        Idle: if (cmd_valid_i) state_q <= Pixels;

        Pixels: begin
          pixels_q <= product[19:0];
          state_q  <= Words;
        end

        Words: begin
          rows_q   <= is_gelu ? 20'd1 : pixels_q;
          stride_q <= is_gelu ? 20'd1 : pixels_q;
          words_q  <= is_gelu ? product[19:0] : row_words;
          row_q    <= '0;
          mask_q   <= '0;
          state_q  <= Row;
        end

        Row: begin
          scan_q    <= is_gelu ? Result : is_norm ? Sum : Largest;
          shift_q   <= is_gelu ? '0 : cmd_q.shift;
          addr_q    <= row_q;
          word_q    <= '0;
          group_q   <= '0;
          element_q <= '0;
          state_q   <= Scan;
        end

        Scan: begin
          group_q   <= last_group ? '0 : group_q + 1'b1;
          element_q <= element_q + 20'(Lanes);
          if (last_group) begin
            word_q <= word_q + 20'd1;
            addr_q <= addr_q + stride_q;
            if (last_word) begin
              state_q <= Empty;
              flush_q <= Flush;
            end
          end
        end

        Empty: begin
          flush_q     <= flush_q - 5'd1;
          bit_q       <= '0;
          remainder_q <= '0;
          if (scan_q != Result) quotient_q <= '0;  // the last groups of a result still need it
          addr_q      <= row_q;
          word_q      <= '0;
          element_q   <= '0;
          if (flush_q == 5'd1) begin
            unique case (scan_q)
              Largest: begin
                scan_q  <= Sum;
                state_q <= Scan;
              end
              Sum: state_q <= is_norm ? Square : Divide;
              default: begin
                row_q   <= row_q + 20'd1;
                mask_q  <= mask_q + words_q;
                state_q <= last_row ? Idle : Row;
              end
            endcase
          end
        end

        // Layer norm: C^2 times the variance, its root with 31 bits.
        Square: begin
          variance_q <= 64'(cmd_q.tile.c) * 64'(squares_q) + 64'(cmd_q.epsilon);
          state_q    <= Variance;
        end

        Variance: begin
          variance_q <= variance_q - 64'(64'(total_q) * 64'(total_q));
          state_q    <= Normalise;
        end

        Normalise: begin
          radicand_q  <= variance_q << {pairs, 1'b0};
          shift_q     <= 6'd47 - pairs;
          root_q      <= '0;
          remainder_q <= '0;
          state_q     <= Root;
        end

        Root: begin
          radicand_q <= radicand_q << 2;
          if (root_next >= root_trial) begin
            remainder_q <= 33'(root_next - root_trial);
            root_q      <= {root_q[30:0], 1'b1};
          end else begin
            remainder_q <= 33'(root_next);
            root_q      <= {root_q[30:0], 1'b0};
          end
          bit_q <= bit_q + 6'd1;
          if (bit_q == 6'd30) begin
            bit_q       <= '0;
            remainder_q <= '0;
            state_q     <= Divide;
          end
        end

        // 2^61 / root or 2^46 / sum; a row without variance or terms gives 0.
        Divide: begin
          if (divide_next >= divisor && divisor != '0) begin
            remainder_q <= 33'(divide_next - divisor);
            quotient_q  <= {quotient_q[30:0], 1'b1};
          end else begin
            remainder_q <= 33'(divide_next);
            quotient_q  <= {quotient_q[30:0], 1'b0};
          end
          bit_q <= bit_q + 6'd1;
          if (bit_q == (is_norm ? 6'd61 : 6'd46)) begin
            scan_q  <= Result;
            state_q <= Scan;
          end
        end

        default: state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (cmd_valid_i && cmd_ready_o) cmd_q <= cmd_i;
  end

  // ---- The pipeline's side of a group: which, where its word goes ----
  logic [Depth-1:0] valid_q, end_q;      // bit i: stage i; 0: the word is inside its memory
  logic [GrpW-1:0]  grp_q [Depth];
  logic [AbAw-1:0]  out_addr_q [Depth];
  logic [19:0]      elem_q0, elem_q1;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Depth-2:0], state_q == Scan};
  end
  always_ff @(posedge clk_i) begin
    elem_q0       <= element_q;
    elem_q1       <= elem_q0;
    end_q         <= {end_q[Depth-2:0], last_group};
    grp_q[0]      <= group_q;
    out_addr_q[0] <= AbAw'(cmd_q.tile.ab_base + addr_q);
    for (int unsigned i = 1; i < Depth; i++) begin
      grp_q[i]      <= grp_q[i-1];
      out_addr_q[i] <= out_addr_q[i-1];
    end
  end

  // ---- Lanes ----
  logic [Lanes-1:0]              ok_q [9];         // the channel exists, by stage from 2 on
  logic signed [ActW-1:0]        x_q [9][Lanes];   // by stage from 2 on
  logic [16:0]                   a_q3 [Lanes];
  logic signed [33:0]            dev_q [6][Lanes]; // stages 3 to 8
  logic [36:0]                   m_q4 [Lanes];
  logic [30:0]                   t_q5 [Lanes];
  logic [15:0]                   b_q6 [Lanes], whole_q6 [Lanes], whole_q7 [Lanes], whole_q8 [Lanes];
  logic [31:0]                   bb_q7 [Lanes];
  logic [45:0]                   bba_q8 [Lanes];
  logic [16:0]                   f_q9 [Lanes];
  logic signed [33:0]            left_q9 [Lanes];
  logic signed [66:0]            prod_q10 [Lanes];
  logic [66:0]                   mag_q11 [Lanes];
  logic [Lanes-1:0]              neg_q11;
  logic [Lanes*AccW-1:0]         y_q12;
  logic [N*AccW-1:0]             word_q13;

  // The lanes of a word that take part.
  logic [N-1:0] keep;
  if (WbW >= N) begin : gen_mask
    assign keep = wb_data_i[N-1:0];
  end else begin : gen_no_mask
    assign keep = '1;
  end
  logic unused_mask;
  assign unused_mask = ^{wb_data_i, cmd_q.tile.wb_base, cmd_q.narrow, mask_q};

  always_ff @(posedge clk_i) begin
    logic [36:0]        shifted;
    logic [45:0]        poly;
    logic [AccW-1:0]    rounded;
    logic signed [32:0] right;
    for (int unsigned l = 0; l < Lanes; l++) begin
      // 1 -> 2
      x_q[0][l]  <= ib_data_i[(32'(grp_q[1]) * Lanes + l) * ActW +: ActW];
      ok_q[0][l] <= valid_q[1] && (is_gelu || elem_q1 + 20'(l) < 20'(cmd_q.tile.c)) &&
                    (!cmd_q.masked || keep[32'(grp_q[1]) * Lanes + l]);
      // 2 -> 3: distance from the maximum, magnitude, or C times the value
      a_q3[l] <= is_softmax ? 17'(largest_q) - 17'(x_q[0][l])
                            : (x_q[0][l] < 0 ? -17'(x_q[0][l]) : 17'(x_q[0][l]));
      dev_q[0][l] <= $signed({1'b0, cmd_q.tile.c}) * x_q[0][l];
      // 3 -> 4
      m_q4[l]     <= 37'(a_q3[l]) * 37'(cmd_q.arg_mult);
      dev_q[1][l] <= dev_q[0][l] - 34'(total_q);
      // 4 -> 5
      shifted = m_q4[l] >> cmd_q.arg_shift;
      if (is_softmax) t_q5[l] <= |shifted[36:31] ? 31'h7fffffff : shifted[30:0];
      else t_q5[l] <= shifted > 37'(ErfB) ? 31'(ErfB) : shifted[30:0];
      // 5 -> 6
      b_q6[l]     <= is_softmax ? ExpB - {1'b0, t_q5[l][14:0]} : ErfB - t_q5[l][15:0];
      whole_q6[l] <= t_q5[l][30:15];
      // 6 -> 7
      bb_q7[l]    <= 32'(b_q6[l]) * 32'(b_q6[l]);
      whole_q7[l] <= whole_q6[l];
      // 7 -> 8
      bba_q8[l]   <= 46'(bb_q7[l]) * 46'(is_softmax ? ExpA : ErfA);
      whole_q8[l] <= whole_q7[l];
      // 8 -> 9: the exponential, or one plus or minus the error function
      poly = is_softmax ? (bba_q8[l] >> 30) + ExpC : bba_q8[l] >> 28;
      if (is_softmax) f_q9[l] <= whole_q8[l] < 16'd31 && ok_q[6][l] ? 17'(poly >> whole_q8[l]) : '0;
      else f_q9[l] <= x_q[6][l] < 0 ? 17'(poly) : 17'(ErfOne) + 17'(ErfOne) - 17'(poly);
      left_q9[l] <= is_norm ? dev_q[5][l] : 34'(x_q[6][l]);
      // 9 -> 10
      right = is_gelu ? 33'($signed({1'b0, f_q9[l]})) : $signed({1'b0, quotient_q});
      prod_q10[l] <= is_softmax ? 67'($signed({1'b0, f_q9[l]})) * 67'(right) : 67'(left_q9[l]) * 67'(right);
      // 10 -> 11
      mag_q11[l] <= (prod_q10[l] < 0 ? -prod_q10[l] : prod_q10[l]) + ((67'(1) << shift_q) >> 1);
      neg_q11[l] <= prod_q10[l] < 0;
      // 11 -> 12
      rounded = AccW'(mag_q11[l] >> shift_q);
      y_q12[l*AccW +: AccW] <= neg_q11[l] ? -rounded : rounded;
      // What goes along
      for (int unsigned i = 1; i < 9; i++) begin
        x_q[i][l]  <= x_q[i-1][l];
        ok_q[i][l] <= ok_q[i-1][l];
      end
      for (int unsigned i = 2; i < 6; i++) dev_q[i][l] <= dev_q[i-1][l];
    end
  end

  // ---- A row's maximum, sums ----
  always_ff @(posedge clk_i) begin
    logic signed [ActW-1:0] largest;
    logic signed [31:0]     total;
    logic [47:0]            squares;
    logic [31:0]            exponentials;
    largest      = largest_q;
    total        = total_q;
    squares      = squares_q;
    exponentials = exponentials_q;
    for (int unsigned l = 0; l < Lanes; l++) begin
      if (ok_q[0][l]) begin
        if (x_q[0][l] > largest) largest = x_q[0][l];
        total   = total + 32'(x_q[0][l]);
        squares = squares + 48'(x_q[0][l]) * 48'(x_q[0][l]);
      end
      if (ok_q[7][l]) exponentials = exponentials + 32'(f_q9[l]);
    end
    if (state_q == Row) begin
      largest_q      <= {1'b1, {(ActW - 1){1'b0}}};
      total_q        <= '0;
      squares_q      <= '0;
      exponentials_q <= '0;
    end else begin
      if (scan_q == Largest) largest_q <= largest;
      if (scan_q == Sum) begin
        total_q        <= total;
        squares_q      <= squares;
        exponentials_q <= exponentials;
      end
    end
  end

  // ---- Words ----
  logic               word_done_q;
  logic [AbAw-1:0]    word_addr_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) word_done_q <= 1'b0;
    else word_done_q <= valid_q[Depth-1] && end_q[Depth-1] && scan_q == Result;
  end
  always_ff @(posedge clk_i) begin
    word_addr_q <= out_addr_q[Depth-1];
    if (valid_q[Depth-1]) word_q13[Lanes*AccW*32'(grp_q[Depth-1]) +: Lanes*AccW] <= y_q12;
  end

  assign acc_valid_o = word_done_q;
  assign acc_addr_o  = word_addr_q;
  assign acc_data_o  = word_q13;

endmodule
