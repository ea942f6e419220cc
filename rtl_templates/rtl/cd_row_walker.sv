// The loop nest of a tile in the row-stationary array, and the input words of each step:
//
//   for each group of output rows: as many as there are columns of PEs, or fewer (see below)
//     for each group of Cols output channels
//       for each chunk of up to Taps filter columns
//         for each block of Lanes input channels
//           for each Rows (channel, filter row) pairs of the block              -- one pass
//             for each output column                                            -- one step
//               for each input column that the step adds to the windows, for each input row: one word,
//               or where they are not dilated, for each two columns: two words
//
// Consecutive windows overlap where the dilation is one and the stride below the chunk's taps: then a step reads stride
// columns only; otherwise it reads one for each tap.
//
// A group of few output rows takes a half, a quarter, ... of the columns, 4 at least; the other folds of columns work
// on other output channels of the same rows, so that a step gets shorter by as much. Rows that would leave over a
// quarter of 16 or more columns idle are split in two groups. step_i leaves a step, whose words must all have been read.
//
// A step lasts four cycles or more. What holds through a pass is worked out during the one before it, in three steps, a
// register each; the first pass's before start_i: cmd_i and pad_words_i have to be there four cycles earlier.
module cd_row_walker
  import cd_types_pkg::tile_cmd_t;
#(
  parameter  int unsigned Rows   = 16,
  parameter  int unsigned Lanes  = 16,
  parameter  int unsigned Cols   = 16,
  parameter  int unsigned Taps   = 4,    // filter columns of a pass
  parameter  int unsigned Slots  = 8,    // of a window ring: twice the taps
  parameter  int unsigned IbAw   = 12,
  parameter  int unsigned AbAw   = 12,
  localparam int unsigned TapW   = $clog2(Taps),
  localparam int unsigned SlotW  = $clog2(Slots),
  localparam int unsigned KSubW  = Lanes > Cols ? $clog2(Lanes / Cols) : 1,
  localparam int unsigned ColW   = $clog2(Cols),
  localparam int unsigned CountW = $clog2(Lanes + 1) + 1
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              start_i,
  input  tile_cmd_t         cmd_i,
  input  logic [IbAw-1:0]   plane_i,
  input  logic [IbAw-1:0]   pad_words_i,
  input  logic [IbAw-1:0]   pixel_row_i,    // stride_h * in_w
  input  logic [AbAw-1:0]   pixels_i,       // p * q
  input  logic [7:0]        tag_step_i,     // input rows from one output row to the next
  input  logic [15:0]       span_last_i,    // input rows under one output row, less one
  input  logic [CountW-1:0] next_lane_i,    // first channel of the block's next pass, if it has one
  input  logic              step_i,
  // Row configuration: of the pass that begins after this cycle.
  output logic              block_start_o,
  output logic              pass_step_o,
  // The step.
  output logic              valid_o,
  output logic              pass_first_o,   // the step is the first of its pass
  output logic              red_first_o,    // the pass is the first of its reduction
  output logic              tile_last_o,    // the step is the last of the tile
  output logic [TapW-1:0]   tap_last_o,     // taps of the chunk, less one
  output logic [ColW-1:0]   channel_last_o, // output channels of the group, less one
  output logic [ColW-1:0]   op_last_o,      // ... of one fold
  output logic [ColW-1:0]   fold_mask_o,    // columns of one fold, less one
  output logic [ColW-1:0]   row_last_o,     // output rows of the group, less one
  output logic [KSubW-1:0]  k_sub_o,
  output logic [AbAw-1:0]   ab_addr_o,      // of the column's first output row
  output logic [SlotW-1:0]  base_o,         // slot of the window's first tap
  // The pass after the one that the step before this one belongs to (what weights are loaded for).
  output logic              load_valid_o,
  output logic              load_restart_o, // its weights are the tile's first
  output logic [TapW-1:0]   load_tap_last_o,
  // The word.
  output logic              read_done_o,    // no words of this step follow after this cycle
  output logic              word_o,
  output logic              row_first_o,
  output logic [SlotW-1:0]  slot_o,
  output logic              ib_req_o,
  output logic              ib_pair_o,      // the word behind, too
  output logic              pair_o,         // it goes to the windows, padding or not
  output logic [IbAw-1:0]   ib_addr_o
);

  localparam int unsigned CoordW = 26;
  localparam int unsigned SizeW  = 3;   // for up to 128 columns

  typedef struct packed {
    logic [15:0]              p_left;     // output rows, this group included
    logic [SizeW-1:0]         size;       // log2 of the columns of a fold
    logic signed [CoordW-1:0] h;          // input row 0 of the group
    logic [IbAw-1:0]          h_words;
    logic [AbAw-1:0]          ab_row;
    logic [15:0]              k_left;
    logic [KSubW-1:0]         k_sub;
    logic [AbAw-1:0]          ab_block;
    logic [7:0]               s_left;     // filter columns, this chunk included
    logic [CoordW-1:0]        s_offset;   // the chunk's first input column under output column 0
    logic [15:0]              c_left;
    logic [IbAw-1:0]          block;
    logic                     red_first;
    logic                     tile_first; // first pass of a group of output rows
  } pass_t;

  typedef struct packed {
    logic [15:0]       x_left;    // output columns after this one
    logic [AbAw-1:0]   x;
    logic [SlotW-1:0]  base;
    logic [CoordW-1:0] start;     // first input column that the step reads
  } step_t;

  // What follows from a pass.
  typedef struct packed {
    logic [TapW-1:0]          tap_last;
    logic                     overlap;      // of windows
    logic [ColW-1:0]          fold_mask, channel_last, row_last;
    logic                     one_row;      // of input, under the group
    logic [IbAw-1:0]          words;        // address of input row 0, column 0
  } shape_t;

  pass_t  pass_q, pass_d, pass_zero, pass_next_q;
  shape_t shape_q, shape_next_q, shape_next_d;
  step_t  step_q, step_d;
  logic   valid_q, valid_d, step_pass;
  logic   fresh_q;                          // first cycle of a pass

  // The pass is the last of its block of channels, of all blocks, also of all chunks, also of all output channels; the group
  // is the last of output rows; what lies between it and the next.
  logic pairs_last, c_last, s_last, k_last;
  logic pairs_last_q, block_last_q, chunk_last_q, kernel_last_q, p_last_q, tile_end_q, pass_first_q, pass_end_q;
  logic signed [CoordW-1:0] down_q;
  logic [IbAw-1:0]          down_words_q;
  logic [AbAw-1:0]          down_out_q;
  logic [15:0]     p_left_next_q;
  logic [ColW-1:0] op_last_q;

  function automatic logic [TapW-1:0] taps_of(logic [7:0] left);
    return left > 8'(Taps) ? TapW'(Taps - 1) : TapW'(left - 8'd1);
  endfunction

  // log2 of the columns that a group takes, of the output rows that are left.
  function automatic logic [SizeW-1:0] size_of(logic [15:0] left, logic split);
    logic [SizeW-1:0] size;
    size = SizeW'(ColW);
    for (int unsigned l = ColW - 1; l >= 2; l--) begin
      if (left <= 16'(1 << l)) size = SizeW'(l);
    end
    if (split && size >= SizeW'(4) && left <= (16'd3 << (size - SizeW'(2)))) size = size - 1'b1;
    return size;
  endfunction

  logic can_split;  // with fewer columns the weights of more passes could not be read in time

  // ---- passes ----
  assign pairs_last = next_lane_i >= (pass_q.c_left > 16'(Lanes) ? CountW'(Lanes) : CountW'(pass_q.c_left));
  assign c_last     = pass_q.c_left <= 16'(Lanes);
  assign s_last     = pass_q.s_left <= 8'(Taps);
  assign k_last     = pass_q.k_left <= 16'(Cols);

  always_comb begin
    pass_zero            = '0;
    pass_zero.p_left     = cmd_i.p;
    pass_zero.size       = size_of(cmd_i.p, can_split);
    pass_zero.h          = -CoordW'(cmd_i.pad_top);
    pass_zero.k_left     = cmd_i.k;
    pass_zero.ab_block   = AbAw'(cmd_i.ab_base);
    pass_zero.s_left     = cmd_i.s;
    pass_zero.c_left     = cmd_i.c;
    pass_zero.block      = IbAw'(cmd_i.ib_base) - pad_words_i - IbAw'(cmd_i.pad_left);
    pass_zero.red_first  = 1'b1;
    pass_zero.tile_first = 1'b1;

    pass_d            = pass_q;
    pass_d.red_first  = 1'b0;
    pass_d.tile_first = 1'b0;
    if (pairs_last_q) begin
      pass_d.c_left = pass_q.c_left - 16'(Lanes);
      pass_d.block  = pass_q.block + plane_i;
    end
    if (block_last_q) begin
      pass_d.c_left   = pass_zero.c_left;
      pass_d.block    = pass_zero.block;
      pass_d.s_left   = pass_q.s_left - 8'(Taps);
      pass_d.s_offset = pass_q.s_offset + CoordW'(cmd_i.dilation_w) * CoordW'(Taps);
    end
    if (chunk_last_q) begin
      pass_d.s_left    = pass_zero.s_left;
      pass_d.s_offset  = '0;
      pass_d.red_first = 1'b1;
      pass_d.k_left    = pass_q.k_left - 16'(Cols);
      if (Lanes == Cols || pass_q.k_sub == KSubW'(Lanes / Cols - 1)) begin
        pass_d.k_sub    = '0;
        pass_d.ab_block = pass_q.ab_block + pixels_i;
      end else begin
        pass_d.k_sub = pass_q.k_sub + 1'b1;
      end
    end
    if (kernel_last_q) begin
      pass_d.k_left     = pass_zero.k_left;
      pass_d.k_sub      = '0;
      pass_d.ab_block   = pass_zero.ab_block;
      pass_d.tile_first = 1'b1;
      pass_d.p_left     = p_left_next_q;
      pass_d.size       = size_of(p_left_next_q, can_split);
      pass_d.h          = pass_q.h + down_q;
      pass_d.h_words    = pass_q.h_words + down_words_q;
      pass_d.ab_row     = pass_q.ab_row + down_out_q;
    end
    if (!valid_q) pass_d = pass_zero;

    shape_next_d.tap_last     = taps_of(pass_next_q.s_left);
    shape_next_d.overlap      = cmd_i.dilation_w == 8'd1 && cmd_i.stride_w <= 8'(taps_of(pass_next_q.s_left));
    shape_next_d.fold_mask    = ColW'((16'd1 << pass_next_q.size) - 16'd1);
    shape_next_d.channel_last = pass_next_q.k_left <= 16'(Cols) ? ColW'(pass_next_q.k_left - 16'd1) : ColW'(Cols - 1);
    shape_next_d.row_last     = pass_next_q.p_left <= (16'd1 << pass_next_q.size) ? ColW'(pass_next_q.p_left - 16'd1)
                                                                                  : shape_next_d.fold_mask;
    shape_next_d.one_row      = pass_next_q.p_left == 16'd1 && span_last_i == '0;
    shape_next_d.words        = pass_next_q.block + pass_next_q.h_words;
  end

  always_ff @(posedge clk_i) begin
    pairs_last_q  <= pairs_last;
    block_last_q  <= pairs_last && c_last;
    chunk_last_q  <= pairs_last && c_last && s_last;
    kernel_last_q <= pairs_last && c_last && s_last && k_last;
    p_last_q      <= pass_q.p_left <= (16'd1 << pass_q.size);
    p_left_next_q <= pass_q.p_left - (16'd1 << pass_q.size);
    down_q        <= CoordW'(cmd_i.stride_h) << pass_q.size;
    down_words_q  <= pixel_row_i << pass_q.size;
    down_out_q    <= AbAw'(cmd_i.q) << pass_q.size;
    tile_end_q    <= kernel_last_q && p_last_q;
    pass_next_q   <= pass_d;
    shape_next_q  <= shape_next_d;
    op_last_q     <= shape_q.channel_last > shape_q.fold_mask ? shape_q.fold_mask : shape_q.channel_last;
  end

  // ---- words ----
  logic              reading_q, reading_d, row_first_q, row_first_d, col_last, row_last, row_end_q, pair;
  logic [16:0]       rows_q, rows_before_q, row_q, row_d;  // rows_before_q: input rows less two
  logic [TapW-1:0]   col_left_q, col_left_d;        // input columns after this one
  logic [CoordW-1:0] column_q, column_d;
  logic [SlotW-1:0]  slot_q, slot_d;
  logic [IbAw-1:0]   addr, addr_q, row_words;
  logic signed [CoordW-1:0] h, h_q, h_step;
  logic [CoordW-1:0] left_q, beyond_q, before_left_q, before_end_q;  // columns of pixels: first one, behind the last

  // What holds through a tile, in registers.
  logic single;  // one step a pass
  logic near_q;  // filter columns are neighbours
  always_ff @(posedge clk_i) begin
    single    <= cmd_i.q == 16'd1;
    near_q    <= cmd_i.dilation_w == 8'd1;
    can_split <= cmd_i.q >= 16'(Rows / 4);
    h_step    <= cmd_i.r == 8'd1 ? CoordW'(cmd_i.stride_h) : CoordW'(1);
    row_words <= cmd_i.r == 8'd1 ? pixel_row_i : IbAw'(cmd_i.in_w);
  end

  assign pair      = near_q && col_left_q != '0;
  assign col_last  = col_left_q == TapW'(pair);
  assign row_last  = row_first_q ? shape_q.one_row : row_end_q;
  assign addr      = row_first_q ? shape_q.words + IbAw'(column_q) : addr_q;
  assign h         = row_first_q ? pass_q.h : h_q;

  // Whether the row behind the present one is the last.
  logic row_end;
  assign row_end = fresh_q ? (rows_q == 17'd1 && span_last_i == '0) || (rows_q == '0 && span_last_i == 16'd1)
                           : row_q == rows_before_q;

  // No word of its step follows the present one: known when the word comes. A step's first word, within its pass.
  logic done_q, done_d, first_done_q;
  function automatic logic last_column(logic [TapW-1:0] left, logic near);
    return left == '0 || (near && left == TapW'(1));
  endfunction
  always_ff @(posedge clk_i) begin
    first_done_q <= shape_q.one_row
                    && last_column(shape_q.overlap ? TapW'(cmd_i.stride_w - 8'd1) : shape_q.tap_last, near_q);
  end

  // The rows under a group of output rows: known in the second cycle of its passes.
  always_ff @(posedge clk_i) begin
    rows_q <= 17'(shape_next_q.row_last) * 17'(tag_step_i);
    if (fresh_q) rows_before_q <= rows_q + 17'(span_last_i) - 17'd1;
    row_end_q <= row_end;
    left_q        <= CoordW'(cmd_i.pad_left);
    beyond_q      <= CoordW'(cmd_i.pad_left) + CoordW'(cmd_i.in_w);
    before_left_q <= left_q - CoordW'(1);
    before_end_q  <= beyond_q - CoordW'(1);
  end

  // ---- next state ----
  always_comb begin
    valid_d       = valid_q;
    step_d        = step_q;
    step_pass     = 1'b0;
    reading_d     = reading_q;
    row_d         = row_q;
    row_first_d   = row_first_q;
    col_left_d    = col_left_q;
    column_d      = column_q;
    slot_d        = slot_q;
    block_start_o = 1'b0;
    pass_step_o   = 1'b0;
    done_d        = 1'b1;

    if (reading_q) begin
      row_first_d = row_last;
      row_d       = row_last ? '0 : row_q + 17'd1;
      if (row_last) begin
        slot_d     = slot_q + 1'b1 + SlotW'(pair);
        col_left_d = col_left_q - 1'b1 - TapW'(pair);
        column_d   = column_q + CoordW'(pair) + (shape_q.overlap ? CoordW'(1) : CoordW'(cmd_i.dilation_w));
        if (col_last) reading_d = 1'b0;
        done_d = col_last || (shape_q.one_row && last_column(col_left_d, near_q));
      end else begin
        done_d = row_end && col_last;
      end
    end

    if (start_i || (step_i && valid_q)) begin
      if (start_i || pass_end_q) begin
        valid_d       = start_i || !tile_end_q;
        step_pass     = 1'b1;
        step_d.x_left = cmd_i.q - 16'd1;
        step_d.x      = '0;
        step_d.base   = slot_d;
        step_d.start  = pass_next_q.s_offset;
        col_left_d    = shape_next_q.tap_last;
        block_start_o = start_i || pairs_last_q;
        pass_step_o   = !block_start_o;
        done_d        = !valid_d || (shape_next_q.one_row && last_column(shape_next_q.tap_last, near_q));
      end else begin
        done_d        = first_done_q;
        step_d.x_left = step_q.x_left - 16'd1;
        step_d.x      = step_q.x + 1'b1;
        step_d.base   = shape_q.overlap ? step_q.base + SlotW'(cmd_i.stride_w) : slot_d;
        step_d.start  = shape_q.overlap ? column_d : step_q.start + CoordW'(cmd_i.stride_w);
        col_left_d    = shape_q.overlap ? TapW'(cmd_i.stride_w - 8'd1) : shape_q.tap_last;
      end
      column_d    = step_d.start;
      reading_d   = valid_d;
      row_first_d = 1'b1;
      row_d       = '0;
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q     <= 1'b0;
      fresh_q     <= 1'b0;
      pass_q      <= '0;
      shape_q     <= '0;
      pass_first_q <= 1'b0;
      pass_end_q   <= 1'b0;
      step_q      <= '0;
      reading_q   <= 1'b0;
      done_q      <= 1'b1;
      row_q       <= '0;
      row_first_q <= 1'b0;
      col_left_q  <= '0;
      column_q    <= '0;
      slot_q      <= '0;
      addr_q      <= '0;
      h_q         <= '0;
    end else begin
      valid_q     <= valid_d;
      fresh_q     <= step_pass;
      if (step_pass) begin
        pass_q  <= pass_next_q;
        shape_q <= shape_next_q;
      end
      step_q      <= step_d;
      if (start_i || (step_i && valid_q)) begin
        pass_first_q <= step_pass;
        pass_end_q   <= step_pass ? single : step_q.x_left == 16'd1;
      end
      reading_q   <= reading_d;
      done_q      <= done_d;
      row_q       <= row_d;
      row_first_q <= row_first_d;
      col_left_q  <= col_left_d;
      column_q    <= column_d;
      slot_q      <= slot_d;
      if (reading_q) begin
        addr_q <= addr + row_words;
        h_q    <= h + h_step;
      end
    end
  end

  assign valid_o         = valid_q;
  assign pass_first_o    = pass_first_q;
  assign red_first_o     = pass_q.red_first;
  assign tile_last_o     = tile_end_q && pass_end_q;
  assign tap_last_o      = shape_q.tap_last;
  assign channel_last_o  = shape_q.channel_last;
  assign fold_mask_o     = shape_q.fold_mask;
  assign op_last_o       = op_last_q;
  assign row_last_o      = shape_q.row_last;
  assign k_sub_o         = pass_q.k_sub;
  assign ab_addr_o       = pass_q.ab_block + pass_q.ab_row + step_q.x;
  assign base_o          = step_q.base;
  assign load_valid_o    = valid_q && (single || !tile_end_q);
  assign load_restart_o  = single ? pass_q.tile_first : pass_next_q.tile_first;
  assign load_tap_last_o = single ? shape_q.tap_last : shape_next_q.tap_last;
  assign read_done_o     = done_q;
  assign word_o          = reading_q;
  assign row_first_o     = row_first_q;
  assign slot_o          = slot_q;
  logic h_inside;
  assign h_inside        = reading_q && !h[CoordW-1] && h < signed'(CoordW'(cmd_i.in_h));
  assign ib_req_o        = h_inside && column_q >= left_q && column_q < beyond_q;
  assign ib_pair_o       = h_inside && pair && (left_q == '0 || column_q >= before_left_q) && column_q < before_end_q;
  assign pair_o          = pair;
  assign ib_addr_o       = addr;

  // Fields of the command that the walk does not use.
  logic unused_cmd;
  assign unused_cmd = ^cmd_i;

endmodule
