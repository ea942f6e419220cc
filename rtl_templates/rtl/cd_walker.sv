// Walks a tile in passes, as the streaming units need it: one pass holds one set of weights still while every output
// pixel goes by, one a cycle; the next pass's weights are fetched meanwhile.
//
// Passes run over output blocks (outermost), input blocks, filter rows, filter columns. A pass lasts
// max(p * q, w_words, 4) cycles: the 4 keeps two writes to one accumulator apart. Before the first comes a prologue of
// w_words cycles that fetches its weights, and eight cycles of address arithmetic, whose last products come meanwhile.
module cd_walker
  import cd_types_pkg::*;
#(
  parameter int unsigned LgOutSub = 0,   // log2 of output blocks in an accumulator word
  parameter int unsigned LgInSub  = 0    // log2 of input blocks in an input word
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        start_i,           // only while !busy_o; the inputs below hold until busy_o falls
  output logic        busy_o,
  input  tile_cmd_t   cmd_i,
  input  logic [15:0] out_blocks_i,
  input  logic [15:0] in_blocks_i,
  input  logic [7:0]  w_words_i,         // weight words of a pass, 4 or more

  output logic        w_req_o,
  output logic [21:0] w_addr_o,
  output logic [7:0]  w_row_o,           // which of the pass's words

  output logic        x_valid_o,         // a pixel of the pass
  output logic        x_inside_o,        // it is not padding: x_addr_o counts
  output logic [19:0] x_addr_o,
  output logic [7:0]  x_sub_o,           // block within the input word
  output logic        x_start_o,         // first cycle of a pass: its weights take over
  output logic        x_first_o,         // overwrites its accumulator
  output logic        x_last_o,          // last pixel of the tile
  output logic [19:0] acc_addr_o,
  output logic [7:0]  acc_sub_o          // block within the accumulator word
);

  typedef enum logic [1:0] {Idle, Setup, Prologue, Stream} state_e;
  state_e      state_q;

  // ---- Setup: eight products on one multiplier ----
  // Operands that are chosen in cycle n give a product that can be used in cycle n + 3: the choice has a register, and so
  // have the multiplier's inputs, behind which the parts of a wide product are added.
  localparam logic [3:0] SetupEnd = 4'd11;
  logic [3:0]  step_q;
  logic [19:0] ma_d, ma_q, ma_q2;
  logic [15:0] mb_d, mb_q, mb_q2;
  logic [19:0] product_q;
  logic [19:0] plane_q, row_step_q, tap_step_q, pad_step_q, pixels_q, passes_q;  // passes_q: still to end
  logic [19:0] period;
  logic [19:0] pass_last_q, pixel_last_q;   // last cycle of a pass, last pixel of it

  always_comb begin
    unique case (step_q)
      4'd0:    {ma_d, mb_d} = {12'd0, cmd_i.r, 8'd0, cmd_i.s};
      4'd1:    {ma_d, mb_d} = {4'd0, cmd_i.in_h, cmd_i.in_w};
      4'd2:    {ma_d, mb_d} = {4'd0, cmd_i.p, cmd_i.q};
      4'd3:    {ma_d, mb_d} = {product_q, in_blocks_i};
      4'd4:    {ma_d, mb_d} = {12'd0, cmd_i.pad_top, cmd_i.in_w};
      4'd5:    {ma_d, mb_d} = {12'd0, cmd_i.stride_h, cmd_i.in_w};
      4'd6:    {ma_d, mb_d} = {product_q, out_blocks_i};
      default: {ma_d, mb_d} = {12'd0, cmd_i.dilation_h, cmd_i.in_w};
    endcase
    period = pixels_q;
    if (period < 20'(w_words_i)) period = 20'(w_words_i);
    if (period < 20'd4) period = 20'd4;
  end

  always_ff @(posedge clk_i) begin
    ma_q      <= ma_d;
    mb_q      <= mb_d;
    ma_q2     <= ma_q;
    mb_q2     <= mb_q;
    product_q <= 20'(36'(ma_q2) * 36'(mb_q2));
    unique case (step_q)
      4'd4:    plane_q    <= product_q;
      4'd5:    pixels_q   <= product_q;
      4'd7:    pad_step_q <= product_q;
      4'd8:    row_step_q <= product_q;
      4'd10:   tap_step_q <= product_q;
      default: ;
    endcase
    pass_last_q  <= period - 20'd1;
    pixel_last_q <= pixels_q - 20'd1;
  end

  // ---- Pass counters ----
  logic [15:0] ob_q, ib_q;
  logic [7:0]  r_q, s_q;
  logic [19:0] left_q;               // cycles of the pass behind this one
  logic        pass_end_q, pass_start_q, last_pass_q;
  logic        streaming;            // pixels remain in this pass
  logic [15:0] row_q, col_q;
  logic [16:0] h0_q, w0_q;           // input row and column of the pass's tap at output (0, 0), signed
  logic [16:0] h_q, w_q;
  logic [19:0] tap_row_q;            // address of input row h0 (modulo 2^20), without the block
  logic [19:0] block_q;              // address of the input block
  logic [19:0] line_q;               // address of input row h within the block
  logic [19:0] acc_block_q, pixel_q; // accumulator block, pixel
  logic [21:0] w_addr_q;
  logic [7:0]  w_row_q;
  logic        w_more_q;             // weights of the next pass remain to be fetched
  logic        last_s, last_r, last_ib;

  // The counters' last values: they hold for the whole tile, so their sums are no part of a cycle's path.
  logic [15:0] ib_last_q, row_last_q, col_last_q;
  logic [7:0]  r_last_q, s_last_q;
  always_ff @(posedge clk_i) begin
    ib_last_q  <= in_blocks_i - 16'd1;
    r_last_q   <= cmd_i.r - 8'd1;
    s_last_q   <= cmd_i.s - 8'd1;
    row_last_q <= cmd_i.p - 16'd1;
    col_last_q <= cmd_i.q - 16'd1;
  end

  assign last_s    = s_q == s_last_q;
  assign last_r    = r_q == r_last_q;
  assign last_ib   = ib_q == ib_last_q;

  // ---- Outputs ----
  assign busy_o     = state_q != Idle;
  assign w_req_o    = w_more_q;
  assign w_addr_o   = w_addr_q;
  assign w_row_o    = w_row_q;
  assign x_valid_o  = state_q == Stream && streaming;
  assign x_inside_o = x_valid_o && h_q < {1'b0, cmd_i.in_h} && w_q < {1'b0, cmd_i.in_w};
  assign x_addr_o   = block_q + line_q + {{3{w_q[16]}}, w_q};
  assign x_start_o  = pass_start_q;
  assign x_first_o  = s_q == '0 && r_q == '0 && ib_q == '0 && !cmd_i.accumulate;
  assign x_last_o   = last_pass_q && pixel_q == pixel_last_q;
  assign acc_addr_o = acc_block_q + pixel_q;
  assign acc_sub_o  = 8'(ob_q & 16'((1 << LgOutSub) - 1));
  assign x_sub_o    = 8'(ib_q & 16'((1 << LgInSub) - 1));

  logic unused_cmd;  // channel counts arrive as blocks; no pairs of weights
  assign unused_cmd = ^cmd_i;

  // ---- Next tap ----
  logic [16:0] h0_first, w0_first;
  logic [19:0] tap_row_first;
  assign h0_first      = -17'(cmd_i.pad_top);
  assign w0_first      = -17'(cmd_i.pad_left);
  assign tap_row_first = -pad_step_q;

  logic [16:0] h0_d, w0_d;
  logic [19:0] tap_row_d, block_d, acc_block_d;
  logic        out_word_end, in_word_end;

  assign out_word_end = &(16'(ob_q) | ~16'((1 << LgOutSub) - 1));
  assign in_word_end  = &(16'(ib_q) | ~16'((1 << LgInSub) - 1));

  always_comb begin
    h0_d        = h0_q;
    w0_d        = w0_q + 17'(cmd_i.dilation_w);
    tap_row_d   = tap_row_q;
    block_d     = block_q;
    acc_block_d = acc_block_q;
    if (last_s) begin
      w0_d      = w0_first;
      h0_d      = h0_q + 17'(cmd_i.dilation_h);
      tap_row_d = tap_row_q + tap_step_q;
      if (last_r) begin
        h0_d      = h0_first;
        tap_row_d = tap_row_first;
        if (in_word_end) block_d = block_q + plane_q;
        if (last_ib) begin
          block_d = cmd_i.ib_base;
          if (out_word_end) acc_block_d = acc_block_q + pixels_q;
        end
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q     <= Idle;
      step_q      <= SetupEnd;
      passes_q    <= '0;
      ob_q        <= '0;
      ib_q        <= '0;
      r_q         <= '0;
      s_q         <= '0;
      left_q      <= '0;
      pass_end_q   <= 1'b0;
      pass_start_q <= 1'b0;
      last_pass_q  <= 1'b0;
      streaming   <= 1'b0;
      row_q       <= '0;
      col_q       <= '0;
      h0_q        <= '0;
      w0_q        <= '0;
      h_q         <= '0;
      w_q         <= '0;
      tap_row_q   <= '0;
      block_q     <= '0;
      line_q      <= '0;
      acc_block_q <= '0;
      pixel_q     <= '0;
      w_addr_q    <= '0;
      w_row_q     <= '0;
      w_more_q    <= 1'b0;
    end else begin
      // Weights: one word a cycle until the pass's are in.
      if (w_more_q) begin
        w_addr_q <= w_addr_q + 22'd1;
        w_row_q  <= w_row_q + 8'd1;
        if (w_row_q == w_words_i - 8'd1) w_more_q <= 1'b0;
      end

      if (step_q != SetupEnd) step_q <= step_q + 4'd1;
      if (step_q == 4'd9) passes_q <= product_q;
      left_q       <= left_q - 20'd1;
      pass_end_q   <= left_q == 20'd1;
      pass_start_q <= 1'b0;

      unique case (state_q)
        Idle: if (start_i) begin
          state_q <= Setup;
          step_q  <= '0;
        end

        Setup: if (step_q == 4'd7) begin
          state_q  <= Prologue;
          left_q   <= 20'(w_words_i) - 20'd1;
          pass_end_q <= 1'b0;  // it counted on meanwhile
          w_addr_q <= cmd_i.wb_base;
          w_row_q  <= '0;
          w_more_q <= 1'b1;
        end

        Prologue: begin
          if (pass_end_q) begin
            state_q      <= Stream;
            left_q       <= pass_last_q;
            pass_start_q <= 1'b1;
            last_pass_q  <= passes_q == 20'd1;
            ob_q        <= '0;
            ib_q        <= '0;
            r_q         <= '0;
            s_q         <= '0;
            h0_q        <= h0_first;
            w0_q        <= w0_first;
            tap_row_q   <= tap_row_first;
            block_q     <= cmd_i.ib_base;
            acc_block_q <= cmd_i.ab_base;
            h_q         <= h0_first;
            w_q         <= w0_first;
            line_q      <= tap_row_first;
            row_q       <= '0;
            col_q       <= '0;
            pixel_q     <= '0;
            streaming   <= 1'b1;
            w_row_q     <= '0;
            w_more_q    <= passes_q > 20'd1;
          end
        end

        Stream: begin
          if (streaming) begin
            pixel_q <= pixel_q + 20'd1;
            col_q   <= col_q + 16'd1;
            w_q     <= w_q + 17'(cmd_i.stride_w);
            if (col_q == col_last_q) begin
              col_q  <= '0;
              row_q  <= row_q + 16'd1;
              w_q    <= w0_q;
              h_q    <= h_q + 17'(cmd_i.stride_h);
              line_q <= line_q + row_step_q;
              if (row_q == row_last_q) streaming <= 1'b0;
            end
          end
          if (pass_end_q) begin
            left_q       <= pass_last_q;
            pass_start_q <= !last_pass_q;
            last_pass_q  <= passes_q == 20'd2;
            s_q         <= last_s ? '0 : s_q + 8'd1;
            if (last_s) r_q <= last_r ? '0 : r_q + 8'd1;
            if (last_s && last_r) ib_q <= last_ib ? '0 : ib_q + 16'd1;
            if (last_s && last_r && last_ib) ob_q <= ob_q + 16'd1;
            h0_q        <= h0_d;
            w0_q        <= w0_d;
            tap_row_q   <= tap_row_d;
            block_q     <= block_d;
            acc_block_q <= acc_block_d;
            h_q         <= h0_d;
            w_q         <= w0_d;
            line_q      <= tap_row_d;
            row_q       <= '0;
            col_q       <= '0;
            pixel_q     <= '0;
            streaming   <= 1'b1;
            w_row_q     <= '0;
            passes_q    <= passes_q - 20'd1;
            w_more_q    <= passes_q > 20'd2;
            if (last_pass_q) state_q <= Idle;
          end
        end

        default: state_q <= Idle;
      endcase
    end
  end

endmodule
