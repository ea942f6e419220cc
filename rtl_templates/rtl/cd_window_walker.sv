// Walks a tile for the vector unit, in passes: one block of channels, one filter row, up to Taps neighbouring taps
// of it. A pass reads each input word once: words enter a window one a cycle, and an output pixel is due whenever its
// taps are all there. The next pass's weights are fetched meanwhile.
//
// Passes run over blocks (outermost), filter rows, groups of taps. A row of q outputs takes t + (q - 1) min(stride_w, t)
// cycles, t taps together; a pass its p rows, and three cycles more where it has fewer than four pixels (two writes to
// one accumulator stay four cycles apart), but no less than its successor has weight words. Taps that are
// dilated go one by one. Before the first pass come its weights, and five cycles of address arithmetic.
module cd_window_walker
  import cd_types_pkg::*;
#(
  parameter int unsigned Taps  = 3,
  parameter int unsigned Words = 1,      // weight words of a tap
  localparam int unsigned Tw   = $clog2(Taps + 1)
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
  logic [2:0]  setup_q;

  // ---- Setup: five products on one multiplier ----
  logic [15:0] ma, mb;
  logic [31:0] product;
  logic [19:0] plane_q, row_step_q, tap_step_q, pad_step_q, pixels_q;

  always_comb begin
    unique case (setup_q)
      3'd0:    {ma, mb} = {cmd_i.in_h, cmd_i.in_w};
      3'd1:    {ma, mb} = {8'd0, cmd_i.stride_h, cmd_i.in_w};
      3'd2:    {ma, mb} = {8'd0, cmd_i.dilation_h, cmd_i.in_w};
      3'd3:    {ma, mb} = {8'd0, cmd_i.pad_top, cmd_i.in_w};
      default: {ma, mb} = {cmd_i.p, cmd_i.q};
    endcase
  end
  assign product = 32'(ma) * 32'(mb);
  logic unused;
  assign unused = ^{product[31:20], cmd_i};

  // ---- Taps of this pass and of the next ----
  logic [15:0]   block_q;
  logic [7:0]    r_q, s_q, s_next;
  logic [Tw-1:0] taps, taps_next, unit;
  logic          last_group, last_r, last_pass;

  function automatic logic [Tw-1:0] taps_from(input logic [7:0] s, input logic [7:0] first, input logic [Tw-1:0] most);
    return s - first < 8'(most) ? Tw'(s - first) : most;
  endfunction
  assign unit       = cmd_i.dilation_w == 8'd1 ? Tw'(Taps) : Tw'(1);
  assign taps       = taps_from(cmd_i.s, s_q, unit);
  assign last_group = cmd_i.s - s_q <= 8'(unit);
  assign s_next     = last_group ? 8'd0 : s_q + 8'(unit);
  assign taps_next  = taps_from(cmd_i.s, s_next, unit);
  assign last_r     = r_q == cmd_i.r - 8'd1;
  assign last_pass  = last_group && last_r && block_q == blocks_i - 16'd1;

  // ---- Weights: one word a cycle until the next pass's are in ----
  logic [21:0]   w_addr_q;
  logic [Tw-1:0] w_tap_q, w_taps;        // w_taps: of the pass whose weights are fetched
  logic [7:0]    w_part_q;
  logic          w_more_q, w_fetch, w_last, w_done;

  assign w_taps   = state_q == Stream ? taps_next : taps;
  assign w_last   = w_tap_q == w_taps - 1'b1 && w_part_q == 8'(Words - 1);
  assign w_fetch  = w_more_q && !(state_q == Stream && last_pass);
  assign w_done   = !w_fetch || w_last;
  assign w_req_o  = w_fetch;
  assign w_addr_o = w_addr_q;
  assign w_tap_o  = w_tap_q;
  assign w_part_o = w_part_q;

  // ---- Words of the pass ----
  logic [15:0]   row_q, col_q;           // of the output
  logic [Tw-1:0] missing_q;              // words until the window is complete
  logic [16:0]   h0_q, w0_q, h_q, w_q;   // input row and column, signed; h0, w0: of the pass's first window
  logic [19:0]   tap_row_q, line_q;      // address of input row h0, h within the block, modulo 2^20
  logic [19:0]   in_block_q, acc_block_q, pixel_q;
  logic          streaming_q, complete, last_col, last_row, last_word, pass_end, first_cycle_q;
  logic [1:0]    slack_q;
  logic [7:0]    gap;                    // columns between a window's last word and the next one to read

  assign complete  = missing_q == Tw'(1);
  assign last_col  = col_q == cmd_i.q - 16'd1;
  assign last_row  = row_q == cmd_i.p - 16'd1;
  assign last_word = streaming_q && complete && last_col && last_row;
  assign gap       = cmd_i.stride_w > 8'(taps) ? cmd_i.stride_w - 8'(taps) : 8'd0;
  assign pass_end  = (streaming_q ? last_word && pixels_q >= 20'd4 : slack_q == 2'd1 || slack_q == 2'd0) && w_done;

  assign busy_o     = state_q != Idle;
  assign x_shift_o  = state_q == Stream && streaming_q;
  assign x_inside_o = x_shift_o && h_q < {1'b0, cmd_i.in_h} && w_q < {1'b0, cmd_i.in_w};
  assign x_addr_o   = cmd_i.ib_base + in_block_q + line_q + {{3{w_q[16]}}, w_q};
  assign x_start_o  = state_q == Stream && first_cycle_q;
  assign x_taps_o   = taps;
  assign x_valid_o  = x_shift_o && complete;
  assign x_first_o  = s_q == '0 && r_q == '0 && !cmd_i.accumulate;
  assign x_last_o   = last_pass && last_word;
  assign acc_addr_o = cmd_i.ab_base + acc_block_q + pixel_q;

  // ---- Where the next pass begins ----
  logic [16:0] h0_d, w0_d, w_left;
  logic [19:0] tap_row_d, in_block_d, acc_block_d;
  assign w_left = -17'(cmd_i.pad_left);

  always_comb begin
    h0_d        = h0_q;
    w0_d        = w0_q + (cmd_i.dilation_w == 8'd1 ? 17'(taps) : 17'(cmd_i.dilation_w));
    tap_row_d   = tap_row_q;
    in_block_d  = in_block_q;
    acc_block_d = acc_block_q;
    if (last_group) begin
      w0_d      = w_left;
      h0_d      = h0_q + 17'(cmd_i.dilation_h);
      tap_row_d = tap_row_q + tap_step_q;
      if (last_r) begin
        h0_d        = -17'(cmd_i.pad_top);
        tap_row_d   = -pad_step_q;
        in_block_d  = in_block_q + plane_q;
        acc_block_d = acc_block_q + pixels_q;
      end
    end
    if (state_q != Stream) begin  // the first
      h0_d        = -17'(cmd_i.pad_top);
      w0_d        = w_left;
      tap_row_d   = -pad_step_q;
      in_block_d  = '0;
      acc_block_d = '0;
    end
  end

  logic begin_pass;
  assign begin_pass = (state_q == Prologue && w_done) || (state_q == Stream && pass_end && !last_pass);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q       <= Idle;
      setup_q       <= '0;
      plane_q       <= '0;
      row_step_q    <= '0;
      tap_step_q    <= '0;
      pad_step_q    <= '0;
      pixels_q      <= '0;
      block_q       <= '0;
      r_q           <= '0;
      s_q           <= '0;
      w_addr_q      <= '0;
      w_tap_q       <= '0;
      w_part_q      <= '0;
      w_more_q      <= 1'b0;
      row_q         <= '0;
      col_q         <= '0;
      missing_q     <= '0;
      h0_q          <= '0;
      w0_q          <= '0;
      h_q           <= '0;
      w_q           <= '0;
      tap_row_q     <= '0;
      line_q        <= '0;
      in_block_q    <= '0;
      acc_block_q   <= '0;
      pixel_q       <= '0;
      streaming_q   <= 1'b0;
      first_cycle_q <= 1'b0;
      slack_q       <= '0;
    end else begin
      if (!w_fetch) w_more_q <= 1'b0;
      else begin
        w_addr_q <= w_addr_q + 22'd1;
        w_part_q <= w_part_q == 8'(Words - 1) ? '0 : w_part_q + 8'd1;
        if (w_part_q == 8'(Words - 1)) w_tap_q <= w_tap_q + 1'b1;
        if (w_last) w_more_q <= 1'b0;
      end

      unique case (state_q)
        Idle: if (start_i) begin
          state_q <= Setup;
          setup_q <= '0;
          block_q <= '0;
          r_q     <= '0;
          s_q     <= '0;
        end

        Setup: begin
          setup_q <= setup_q + 3'd1;
          unique case (setup_q)
            3'd0:    plane_q    <= product[19:0];
            3'd1:    row_step_q <= product[19:0];
            3'd2:    tap_step_q <= product[19:0];
            3'd3:    pad_step_q <= product[19:0];
            default: pixels_q   <= product[19:0];
          endcase
          if (setup_q == 3'd4) begin
            state_q  <= Prologue;
            w_addr_q <= cmd_i.wb_base;
            w_tap_q  <= '0;
            w_part_q <= '0;
            w_more_q <= weights_i;
          end
        end

        Prologue: if (w_done) state_q <= Stream;

        Stream: begin
          first_cycle_q <= 1'b0;
          if (streaming_q) begin
            w_q       <= w_q + 17'd1;
            missing_q <= missing_q - 1'b1;
            if (complete) begin
              pixel_q   <= pixel_q + 20'd1;
              col_q     <= col_q + 16'd1;
              w_q       <= w_q + 17'd1 + 17'(gap);
              missing_q <= cmd_i.stride_w < 8'(taps) ? Tw'(cmd_i.stride_w) : taps;
              if (last_col) begin
                col_q     <= '0;
                row_q     <= row_q + 16'd1;
                w_q       <= w0_q;
                missing_q <= taps;
                h_q       <= h_q + 17'(cmd_i.stride_h);
                line_q    <= line_q + row_step_q;
                if (last_row) streaming_q <= 1'b0;
              end
            end
          end else if (slack_q != '0) begin
            slack_q <= slack_q - 2'd1;
          end
          if (pass_end) begin
            s_q <= s_next;
            if (last_group) r_q <= last_r ? '0 : r_q + 8'd1;
            if (last_group && last_r) block_q <= block_q + 16'd1;
            if (last_pass) state_q <= Idle;
          end
        end

        default: state_q <= Idle;
      endcase

      if (begin_pass) begin
        h0_q          <= h0_d;
        w0_q          <= w0_d;
        tap_row_q     <= tap_row_d;
        in_block_q    <= in_block_d;
        acc_block_q   <= acc_block_d;
        h_q           <= h0_d;
        w_q           <= w0_d;
        line_q        <= tap_row_d;
        row_q         <= '0;
        col_q         <= '0;
        pixel_q       <= '0;
        missing_q     <= state_q == Stream ? taps_next : taps;
        streaming_q   <= 1'b1;
        first_cycle_q <= 1'b1;
        slack_q       <= pixels_q < 20'd4 ? Slack : 2'd0;
        w_tap_q       <= '0;
        w_part_q      <= '0;
        w_more_q      <= weights_i;
      end
    end
  end

endmodule
