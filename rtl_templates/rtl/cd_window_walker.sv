// Walks a tile for the vector unit, in passes: one block of channels, one filter row, up to Taps neighbouring taps
// of it. A pass reads each input word once: words enter a window one a cycle, and an output pixel is due whenever its
// taps are all there. The next pass's weights are fetched meanwhile.
//
// Passes run over blocks (outermost), filter rows, groups of taps. A row of q outputs takes t + (q - 1) min(stride_w, t)
// cycles, t taps together; a pass its p rows, and three cycles more where it has fewer than four pixels (two writes to
// one accumulator stay four cycles apart), but no less than its successor has weight words. Taps that are
// dilated go one by one. Before the first pass come its weights, and five cycles of address arithmetic, whose last products
// come meanwhile. A pass lasts four cycles or more, and what the next ones need is worked out in registers during them.
module cd_window_walker
  import cd_types_pkg::*;
#(
  parameter int unsigned Taps  = 3,
  parameter int unsigned Words = 1,      // weight words of a tap
  localparam int unsigned Tw   = $clog2(Taps + 1),
  localparam int unsigned Ww   = $clog2(Taps * Words + 1)
) (
  input  logic          clk_i,
  input  logic          rst_ni,
  input  logic          start_i,         // only while !busy_o; the inputs below hold until busy_o falls
  output logic          busy_o,
  input  tile_cmd_t     cmd_i,
  input  logic [15:0]   blocks_i,
  input  logic          weights_i,       // the operation has weights

  output logic          w_req_o,
  output logic [21:0]   w_addr_o,
  output logic [Tw-1:0] w_tap_o,         // of its pass
  output logic [7:0]    w_part_o,        // which word of the tap

  output logic          x_shift_o,       // a word enters the window
  output logic          x_inside_o,      // it is not padding: x_addr_o counts
  output logic [19:0]   x_addr_o,
  output logic          x_start_o,       // first cycle of a pass: its weights take over
  output logic [Tw-1:0] x_taps_o,        // of the pass
  output logic          x_valid_o,       // with this word the window of an output pixel is complete
  output logic          x_first_o,       // the pixel overwrites its accumulator
  output logic          x_last_o,        // last pixel of the tile
  output logic [19:0]   acc_addr_o
);

  localparam logic [1:0] Slack = 2'd3;

  typedef enum logic [1:0] {Idle, Setup, Prologue, Stream} state_e;
  state_e      state_q;

  // ---- Setup: five products on one multiplier, between two registers ----
  // Operands that are chosen in cycle n give a product that can be used in cycle n + 3; the walk begins in cycle 5.
  localparam logic [2:0] SetupEnd = 3'd7;
  logic [2:0]  step_q;
  logic [15:0] ma_d, mb_d, ma_q, mb_q;
  logic [31:0] product_q;
  logic [19:0] plane_q, row_step_q, tap_step_q, pad_step_q, pixels_q;
  logic        short_q;                  // fewer than four pixels

  always_comb begin
    unique case (step_q)
      3'd0:    {ma_d, mb_d} = {8'd0, cmd_i.pad_top, cmd_i.in_w};
      3'd1:    {ma_d, mb_d} = {cmd_i.p, cmd_i.q};
      3'd2:    {ma_d, mb_d} = {8'd0, cmd_i.stride_h, cmd_i.in_w};
      3'd3:    {ma_d, mb_d} = {8'd0, cmd_i.dilation_h, cmd_i.in_w};
      default: {ma_d, mb_d} = {cmd_i.in_h, cmd_i.in_w};
    endcase
  end

  logic one_col_q, one_row_q, one_q;     // of the output: a column, a row, a pixel
  always_ff @(posedge clk_i) begin
    ma_q      <= ma_d;
    mb_q      <= mb_d;
    product_q <= 32'(ma_q) * 32'(mb_q);
    unique case (step_q)
      3'd2:    pad_step_q <= product_q[19:0];
      3'd3:    pixels_q   <= product_q[19:0];
      3'd4:    row_step_q <= product_q[19:0];
      3'd5:    tap_step_q <= product_q[19:0];
      3'd6:    plane_q    <= product_q[19:0];
      default: ;
    endcase
    short_q   <= pixels_q < 20'd4;
    one_col_q <= cmd_i.q == 16'd1;
    one_row_q <= cmd_i.p == 16'd1;
    one_q     <= one_col_q && one_row_q;
  end
  logic unused;
  assign unused = ^{product_q[31:20], cmd_i};

  // ---- This pass and the next: a block, a filter row, a group of taps ----
  typedef struct packed {
    logic [15:0]   blocks_left;          // behind this one
    logic [7:0]    rows_left;
    logic [7:0]    taps_left;            // of the filter row, this group's included
    logic [Tw-1:0] taps;                 // of this group
    logic          first;                // of its block
    logic          last_group;           // of its filter row
    logic          last_row;             // of its block
    logic          last_block;
  } pass_t;
  pass_t         pass_q, next_q, next_d;
  logic [Tw-1:0] unit;
  logic [Ww-1:0] after_words_q;          // weight words of the pass behind the next
  logic [Tw-1:0] next_words_q, words_q;  // words from one window to the next
  logic [7:0]    next_gap_q, gap_q;      // columns from a window's last word to the next one to read
  logic          last_pass_q;            // of the tile

  function automatic logic [Tw-1:0] taps_of(input logic [7:0] left, input logic [Tw-1:0] most);
    return left < 8'(most) ? Tw'(left) : most;
  endfunction
  assign unit      = cmd_i.dilation_w == 8'd1 ? Tw'(Taps) : Tw'(1);
  logic next_last;
  assign next_last = next_q.last_group && next_q.last_row && next_q.last_block;

  always_comb begin
    next_d       = pass_q;
    next_d.first = 1'b0;
    if (!pass_q.last_group) begin
      next_d.taps_left = pass_q.taps_left - 8'(unit);
    end else begin
      next_d.taps_left = cmd_i.s;
      next_d.rows_left = pass_q.rows_left - 8'd1;
      if (pass_q.last_row) begin
        next_d.first       = 1'b1;
        next_d.rows_left   = cmd_i.r - 8'd1;
        next_d.blocks_left = pass_q.blocks_left - 16'd1;
      end
    end
    if (state_q != Stream) begin         // the first
      next_d.first       = 1'b1;
      next_d.taps_left   = cmd_i.s;
      next_d.rows_left   = cmd_i.r - 8'd1;
      next_d.blocks_left = blocks_i - 16'd1;
    end
    // A cycle behind what is left.
    next_d.taps       = taps_of(next_q.taps_left, unit);
    next_d.last_group = next_q.taps_left <= 8'(unit);
    next_d.last_row   = next_q.rows_left == '0;
    next_d.last_block = next_q.blocks_left == '0;
  end

  // ---- Weights: one word a cycle until the next pass's are in ----
  logic [21:0]   w_addr_q;
  logic [Tw-1:0] w_tap_q;
  logic [7:0]    w_part_q;
  logic [Ww-1:0] w_left_q;               // words, the present one included
  logic          w_more_q, w_last_q, w_done;  // w_last_q: w_left_q == 1

  assign w_done   = !w_more_q || w_last_q;
  assign w_req_o  = w_more_q;
  assign w_addr_o = w_addr_q;
  assign w_tap_o  = w_tap_q;
  assign w_part_o = w_part_q;

  // ---- Words of the pass ----
  logic [15:0]   rows_left_q, cols_left_q;  // of the output, behind this one
  logic          last_row_q, last_col_q, last_q;  // no row, no column, neither
  logic [Tw-1:0] missing_q;                 // words until the window is complete
  logic [16:0]   h0_q, w0_q, h_q, w_q;      // input row and column, signed; h0, w0: of the pass's first window
  logic [19:0]   tap_row_q, line_q;         // address of input row h0, h, modulo 2^20
  logic [19:0]   in_block_q, acc_block_q, acc_addr_q;
  logic          streaming_q, complete, last_word, pass_end, first_cycle_q;
  logic [1:0]    slack_q;

  assign complete  = missing_q == Tw'(1);
  assign last_word = streaming_q && complete && last_q;
  assign pass_end  = (streaming_q ? last_word && !short_q : !slack_q[1]) && w_done;

  assign busy_o     = state_q != Idle;
  assign x_shift_o  = state_q == Stream && streaming_q;
  assign x_inside_o = x_shift_o && h_q < {1'b0, cmd_i.in_h} && w_q < {1'b0, cmd_i.in_w};
  assign x_addr_o   = line_q + {{3{w_q[16]}}, w_q};
  assign x_start_o  = state_q == Stream && first_cycle_q;
  assign x_taps_o   = pass_q.taps;
  assign x_valid_o  = x_shift_o && complete;
  assign x_first_o  = pass_q.first && !cmd_i.accumulate;
  assign x_last_o   = last_pass_q && last_word;
  assign acc_addr_o = acc_addr_q;

  // ---- Where the next pass begins ----
  logic [16:0] h0_next_q, w0_next_q, w_left;
  logic [19:0] tap_row_next_q, in_block_next_q, acc_block_next_q;
  assign w_left = -17'(cmd_i.pad_left);

  always_ff @(posedge clk_i) begin
    next_q       <= next_d;
    after_words_q <= Ww'(taps_of(next_q.last_group ? cmd_i.s : next_q.taps_left - 8'(unit), unit)) * Ww'(Words);
    next_words_q <= cmd_i.stride_w < 8'(next_q.taps) ? Tw'(cmd_i.stride_w) : next_q.taps;
    next_gap_q   <= cmd_i.stride_w > 8'(next_q.taps) ? cmd_i.stride_w - 8'(next_q.taps) : 8'd0;

    h0_next_q        <= h0_q;
    w0_next_q        <= w0_q + (cmd_i.dilation_w == 8'd1 ? 17'(pass_q.taps) : 17'(cmd_i.dilation_w));
    tap_row_next_q   <= tap_row_q;
    in_block_next_q  <= in_block_q;
    acc_block_next_q <= acc_block_q;
    if (pass_q.last_group) begin
      w0_next_q      <= w_left;
      h0_next_q      <= h0_q + 17'(cmd_i.dilation_h);
      tap_row_next_q <= tap_row_q + tap_step_q;
      if (pass_q.last_row) begin
        h0_next_q        <= -17'(cmd_i.pad_top);
        tap_row_next_q   <= in_block_q + (plane_q - pad_step_q);
        in_block_next_q  <= in_block_q + plane_q;
        acc_block_next_q <= acc_block_q + pixels_q;
      end
    end
    if (state_q != Stream) begin         // the first
      h0_next_q        <= -17'(cmd_i.pad_top);
      w0_next_q        <= w_left;
      tap_row_next_q   <= cmd_i.ib_base - pad_step_q;
      in_block_next_q  <= cmd_i.ib_base;
      acc_block_next_q <= cmd_i.ab_base;
    end
  end

  logic begin_pass;
  assign begin_pass = (state_q == Prologue && w_done) || (state_q == Stream && pass_end && !last_pass_q);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q       <= Idle;
      step_q        <= SetupEnd;
      w_more_q      <= 1'b0;
      streaming_q   <= 1'b0;
      first_cycle_q <= 1'b0;
      slack_q       <= '0;
    end else begin
      if (step_q != SetupEnd) step_q <= step_q + 3'd1;
      if (w_last_q) w_more_q <= 1'b0;
      first_cycle_q <= 1'b0;

      unique case (state_q)
        Idle: if (start_i) begin
          state_q <= Setup;
          step_q  <= '0;
        end

        Setup: if (step_q == 3'd4) begin
          state_q  <= Prologue;
          w_more_q <= weights_i;
        end

        Prologue: if (w_done) state_q <= Stream;

        Stream: begin
          if (last_word) streaming_q <= 1'b0;
          else if (!streaming_q && slack_q != '0) slack_q <= slack_q - 2'd1;
          if (pass_end && last_pass_q) state_q <= Idle;
        end

        default: state_q <= Idle;
      endcase

      if (begin_pass) begin
        streaming_q   <= 1'b1;
        first_cycle_q <= 1'b1;
        slack_q       <= short_q ? Slack : 2'd0;
        w_more_q      <= weights_i && !next_last;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (w_more_q) begin
      w_addr_q <= w_addr_q + 22'd1;
      w_part_q <= w_part_q == 8'(Words - 1) ? '0 : w_part_q + 8'd1;
      if (w_part_q == 8'(Words - 1)) w_tap_q <= w_tap_q + 1'b1;
      w_left_q <= w_left_q - 1'b1;
      w_last_q <= w_left_q == Ww'(2);
    end
    if (state_q == Setup) begin
      w_addr_q <= cmd_i.wb_base;
      w_tap_q  <= '0;
      w_part_q <= '0;
      w_left_q <= Ww'(next_q.taps) * Ww'(Words);
      w_last_q <= Ww'(next_q.taps) * Ww'(Words) == Ww'(1);
    end

    if (streaming_q) begin
      w_q       <= w_q + 17'd1;
      missing_q <= missing_q - 1'b1;
      if (complete) begin
        acc_addr_q  <= acc_addr_q + 20'd1;
        cols_left_q <= cols_left_q - 16'd1;
        last_col_q  <= cols_left_q == 16'd1;
        last_q      <= cols_left_q == 16'd1 && last_row_q;
        w_q         <= w_q + 17'd1 + 17'(gap_q);
        missing_q   <= words_q;
        if (last_col_q) begin
          cols_left_q <= cmd_i.q - 16'd1;
          last_col_q  <= one_col_q;
          last_q      <= rows_left_q == 16'd1 && one_col_q;
          rows_left_q <= rows_left_q - 16'd1;
          last_row_q  <= rows_left_q == 16'd1;
          w_q         <= w0_q;
          missing_q   <= pass_q.taps;
          h_q         <= h_q + 17'(cmd_i.stride_h);
          line_q      <= line_q + row_step_q;
        end
      end
    end

    if (begin_pass) begin
      pass_q      <= next_q;
      last_pass_q <= next_last;
      words_q     <= next_words_q;
      gap_q       <= next_gap_q;
      h0_q        <= h0_next_q;
      w0_q        <= w0_next_q;
      tap_row_q   <= tap_row_next_q;
      in_block_q  <= in_block_next_q;
      acc_block_q <= acc_block_next_q;
      h_q         <= h0_next_q;
      w_q         <= w0_next_q;
      line_q      <= tap_row_next_q;
      acc_addr_q  <= acc_block_next_q;
      rows_left_q <= cmd_i.p - 16'd1;
      last_row_q  <= one_row_q;
      last_q      <= one_q;
      cols_left_q <= cmd_i.q - 16'd1;
      last_col_q  <= one_col_q;
      missing_q   <= next_q.taps;
      w_tap_q     <= '0;
      w_part_q    <= '0;
      w_left_q    <= after_words_q;
      w_last_q    <= after_words_q == Ww'(1);
    end
  end

endmodule
