// Row-stationary array (Eyeriss): PE row = one filter row of one input channel, PE column = one output row.
//
// A filter row stays in its PE row for a whole sweep over the output columns, for Cols output channels. The PE slides
// along its input row: a window of a few pixels is kept, and only the new pixels are read, each word once for all the
// PEs on its diagonals (which find it by counting, as Eyeriss' PEs do by tag). Products are added down the columns; the
// column's foot adds the filter columns. All (channel, filter row) pairs of a block of Lanes channels are dealt out to
// the PE rows in order, so that no PE row idles, whatever the height of the filter: a taller one is folded. Where fewer
// output rows are left, the columns are folded too: a half, a quarter, ... of them takes the rows, the others take
// the same rows for other output channels.
//
// Everything moves in steps of one output column. While a step computes (output channels x taps cycles), the words of
// the next step are read, and the sums of the former step leave, one word for each output row. The longest of the three
// sets the step's length, and a pass lasts no less than it takes to read the next pass's weights (Rows x taps words).
module cd_array_row_stationary
  import cd_types_pkg::tile_cmd_t;
#(
  parameter  int unsigned Rows  = 16,
  parameter  int unsigned Cols  = 16,
  parameter  int unsigned ActW  = 8,
  parameter  int unsigned WgtW  = 8,
  parameter  int unsigned AccW  = 32,
  parameter  int unsigned IbAw  = 12,
  parameter  int unsigned WbAw  = 12,
  parameter  int unsigned AbAw  = 12,
  localparam int unsigned Lanes = Rows > Cols ? Rows : Cols
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  input  logic                       cmd_valid_i,
  output logic                       cmd_ready_o,
  input  tile_cmd_t                  cmd_i,
  output logic                       done_o,
  output logic                       ib_req_o,
  output logic                       ib_pair_o,     // the word behind the addressed one, too
  output logic [IbAw-1:0]            ib_addr_o,
  input  logic [Lanes-1:0][ActW-1:0] ib_data_i,
  input  logic [Lanes-1:0][ActW-1:0] ib_next_i,
  output logic                       wb_req_o,
  output logic [WbAw-1:0]            wb_addr_o,
  input  logic [Cols-1:0][WgtW-1:0]  wb_data_i,
  output logic                       acc_valid_o,
  output logic                       acc_first_o,
  output logic [AbAw-1:0]            acc_addr_o,
  output logic [Lanes-1:0]           acc_mask_o,
  output logic [Lanes-1:0][AccW-1:0] acc_data_o
);

  localparam int unsigned Taps   = 4;
  localparam int unsigned Slots  = 2 * Taps;
  localparam int unsigned TapW   = $clog2(Taps);
  localparam int unsigned SlotW  = $clog2(Slots);
  localparam int unsigned RowW   = $clog2(Rows);
  localparam int unsigned ColW   = $clog2(Cols);
  localparam int unsigned KSubW  = Lanes > Cols ? $clog2(Lanes / Cols) : 1;
  localparam int unsigned CountW = $clog2(Lanes + 1) + 1;
  localparam int unsigned ProdW  = ActW + WgtW;
  localparam int unsigned SumW   = ProdW + $clog2(Rows);

  localparam int unsigned LevelsPerStage = 2;
  localparam int unsigned TreeStages     = ($clog2(Rows) + LevelsPerStage - 1) / LevelsPerStage;
  localparam int unsigned Request        = 3;               // from a word's request: register, memory, its register
  localparam int unsigned SumStage       = 6 + TreeStages;  // from an operation's issue to the foot of the column

  if (Rows < 4 || Cols < 4 || 2 ** $clog2(Rows) != Rows || 2 ** $clog2(Cols) != Cols) begin : gen_check
    $error("cd_array_row_stationary: Rows and Cols must be powers of two, 4 or more");
  end

  logic      busy_q, start;
  tile_cmd_t cmd_q;

  assign cmd_ready_o = !busy_q;
  assign start       = cmd_valid_i && cmd_ready_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) busy_q <= 1'b0;
    else if (start) busy_q <= 1'b1;
    else if (done_o) busy_q <= 1'b0;
  end
  // Taken in every idle cycle: start, which is known late, need not reach so many registers.
  always_ff @(posedge clk_i) begin
    if (!busy_q) cmd_q <= cmd_i;
  end

  // ---- set-up: products, and the first pair of each PE row ----
  logic            ready, ready_q, go;
  logic [IbAw-1:0] plane, pad_words, pixel_row, unused_tap_row;
  logic [AbAw-1:0] pixels;

  cd_tile_setup #(
    .IbAw(IbAw),
    .PxW (AbAw)
  ) u_setup (
    .clk_i,
    .rst_ni,
    .start_i    (start),
    .cmd_i      (cmd_q),
    .ready_o    (ready),
    .plane_o    (plane),
    .pad_words_o(pad_words),
    .tap_row_o  (unused_tap_row),
    .pixel_row_o(pixel_row),
    .pixels_o   (pixels)
  );

  logic              deal;  // pairs are being dealt
  logic [RowW-1:0]   deal_row;
  logic [CountW-1:0] deal_lane;
  logic [7:0]        deal_r, tag_step_q, tag_more_q;
  logic signed [8:0] wrap_r;
  logic [15:0]       deal_offset, wrap_offset, span_last;

  cd_row_deal #(
    .Rows (Rows),
    .Lanes(Lanes)
  ) u_deal (
    .clk_i,
    .rst_ni,
    .start_i      (start),
    .taps_i       (cmd_q.r),
    .dilation_i   (cmd_q.dilation_h),
    .deal_o       (deal),
    .row_o        (deal_row),
    .lane_o       (deal_lane),
    .r_o          (deal_r),
    .offset_o     (deal_offset),
    .wrap_r_o     (wrap_r),
    .wrap_offset_o(wrap_offset),
    .span_last_o  (span_last)
  );

  always_ff @(posedge clk_i) begin  // holds long before the first step
    tag_step_q <= cmd_q.r == 8'd1 ? 8'd1 : cmd_q.stride_h;
    tag_more_q <= tag_step_q - 8'd1;
  end
  assign go       = (ready || ready_q) && !deal;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) ready_q <= 1'b0;
    else ready_q <= (ready || ready_q) && !go;
  end

  // ---- steps: one is read while the former one computes ----
  logic              read_valid, pass_first, red_first, tile_last, read_done, word, row_first, ib_req, ib_pair, pair, wb_req;
  logic [IbAw-1:0]   ib_addr;
  logic [WbAw-1:0]   wb_addr;
  logic              block_start, pass_step, load_valid, load_restart;
  logic [TapW-1:0]   tap_last, load_tap_last;
  logic [ColW-1:0]   channel_last, op_last_channel, row_last, fold_mask;
  logic [KSubW-1:0]  k_sub;
  logic [AbAw-1:0]   ab_addr;
  logic [SlotW-1:0]  base, slot;
  logic [CountW-1:0] next_lane;
  logic              step_end;

  cd_row_walker #(
    .Rows (Rows),
    .Lanes(Lanes),
    .Cols (Cols),
    .Taps (Taps),
    .Slots(Slots),
    .IbAw (IbAw),
    .AbAw (AbAw)
  ) u_walker (
    .clk_i,
    .rst_ni,
    .start_i        (go),
    .cmd_i          (cmd_q),
    .plane_i        (plane),
    .pad_words_i    (pad_words),
    .pixel_row_i    (pixel_row),
    .pixels_i       (pixels),
    .tag_step_i     (tag_step_q),
    .span_last_i    (span_last),
    .next_lane_i    (next_lane),
    .step_i         (step_end),
    .block_start_o  (block_start),
    .pass_step_o    (pass_step),
    .valid_o        (read_valid),
    .pass_first_o   (pass_first),
    .red_first_o    (red_first),
    .tile_last_o    (tile_last),
    .tap_last_o     (tap_last),
    .channel_last_o (channel_last),
    .op_last_o      (op_last_channel),
    .fold_mask_o    (fold_mask),
    .row_last_o     (row_last),
    .k_sub_o        (k_sub),
    .ab_addr_o      (ab_addr),
    .base_o         (base),
    .load_valid_o   (load_valid),
    .load_restart_o (load_restart),
    .load_tap_last_o(load_tap_last),
    .read_done_o    (read_done),
    .word_o         (word),
    .row_first_o    (row_first),
    .slot_o         (slot),
    .ib_req_o       (ib_req),
    .ib_pair_o      (ib_pair),
    .pair_o         (pair),
    .ib_addr_o      (ib_addr)
  );

  // Requests go through a register: sums and comparisons of addresses do not reach the buffers in their cycle.
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ib_req_o  <= 1'b0;
      ib_pair_o <= 1'b0;
      wb_req_o  <= 1'b0;
    end else begin
      ib_req_o  <= ib_req;
      ib_pair_o <= ib_pair;
      wb_req_o  <= wb_req;
    end
  end
  always_ff @(posedge clk_i) begin
    ib_addr_o <= ib_addr;
    wb_addr_o <= wb_addr;
  end

  logic                        loading, load, load_first, op_bank;
  logic [TapW-1:0]             op_tap;
  logic [SlotW-1:0]            op_slot;
  logic [Cols/4-1:0][ColW-1:0] op_channels;
  logic                        sum_valid, sum_first, sum_last, sum_half;
  logic [ColW-1:0]             sum_channel, sum_fold_mask;
  logic                        out_valid, out_half, out_tile_last, out_red_first;
  logic [ColW-1:0]             out_channel_last, out_row_last, out_fold_mask;
  logic [KSubW-1:0]            out_k_sub;
  logic [AbAw-1:0]             out_addr;

  cd_row_issue #(
    .Lanes (Lanes),
    .Cols  (Cols),
    .Taps  (Taps),
    .Slots (Slots),
    .AbAw  (AbAw),
    .Stages(SumStage)
  ) u_issue (
    .clk_i,
    .rst_ni,
    .start_i           (go),
    .valid_i           (read_valid),
    .read_done_i       (read_done),
    .pass_first_i      (pass_first),
    .red_first_i       (red_first),
    .tile_last_i       (tile_last),
    .tap_last_i        (tap_last),
    .channel_last_i    (channel_last),
    .op_last_channel_i (op_last_channel),
    .row_last_i        (row_last),
    .fold_mask_i       (fold_mask),
    .k_sub_i           (k_sub),
    .base_i            (base),
    .addr_i            (ab_addr),
    .load_valid_i      (load_valid),
    .loading_i         (loading),
    .load_o            (load),
    .load_first_o      (load_first),
    .step_o            (step_end),
    .bank_o            (op_bank),
    .tap_o             (op_tap),
    .slot_o            (op_slot),
    .channel_o         (op_channels),
    .sum_valid_o       (sum_valid),
    .sum_first_o       (sum_first),
    .sum_last_o        (sum_last),
    .sum_half_o        (sum_half),
    .sum_channel_o     (sum_channel),
    .sum_fold_mask_o   (sum_fold_mask),
    .out_valid_o       (out_valid),
    .out_half_o        (out_half),
    .out_tile_last_o   (out_tile_last),
    .out_red_first_o   (out_red_first),
    .out_channel_last_o(out_channel_last),
    .out_row_last_o    (out_row_last),
    .out_fold_mask_o   (out_fold_mask),
    .out_k_sub_o       (out_k_sub),
    .out_addr_o        (out_addr)
  );

  // ---- weights ----
  logic            wgt_we, wgt_bank;
  logic [RowW-1:0] wgt_row;
  logic [TapW-1:0] wgt_tap;

  cd_row_weights #(
    .Rows(Rows),
    .Taps(Taps),
    .WbAw(WbAw)
  ) u_weights (
    .clk_i,
    .rst_ni,
    .load_i    (load),
    .restart_i (load_first || load_restart),
    .tap_last_i(load_first ? tap_last : load_tap_last),
    .base_i    (WbAw'(cmd_q.wb_base)),
    .loading_o (loading),
    .wb_req_o  (wb_req),
    .wb_addr_o (wb_addr),
    .we_o      (wgt_we),
    .bank_o    (wgt_bank),
    .row_o     (wgt_row),
    .tap_o     (wgt_tap)
  );

  // ---- rows of PEs ----
  logic [Request-1:0]                   read_q, read_next_q;
  logic [Request:0]                     pair_q;
  logic [Request:0][SlotW-1:0]          slot_q;
  logic [Request:0][ColW-1:0]           mask_q;
  logic [Cols-1:0][Rows-1:0][ProdW-1:0] products;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      read_q <= '0;
      read_next_q <= '0;
      pair_q <= '0;
      slot_q <= '0;
      mask_q <= '0;
    end else begin
      read_q <= {read_q[Request-2:0], ib_req};
      read_next_q <= {read_next_q[Request-2:0], ib_pair};
      pair_q <= {pair_q[Request-1:0], pair};
      slot_q <= {slot_q[Request-1:0], slot};
      mask_q <= {mask_q[Request-1:0], fold_mask};
    end
  end

  for (genvar i = 0; i < int'(Rows); i++) begin : gen_row
    logic [Cols-1:0][ProdW-1:0] row_products;
    logic [CountW-1:0]          row_next_lane;

    cd_row_line #(
      .Lanes(Lanes),
      .Cols (Cols),
      .ActW (ActW),
      .WgtW (WgtW),
      .Taps (Taps),
      .Slots(Slots),
      .Request(Request)
    ) u_line (
      .clk_i,
      .rst_ni,
      .load_i        (deal && deal_row == RowW'(i)),
      .lane_i        (deal_lane),
      .r_i           (deal_r),
      .offset_i      (deal_offset),
      .restart_i     (block_start),
      .step_i        (pass_step),
      .wrap_r_i      (wrap_r),
      .wrap_offset_i (wrap_offset),
      .next_lane_o   (row_next_lane),
      .word_i        (word),
      .row_first_i   (row_first),
      .tag_more_i    (tag_more_q),
      .data_valid_i  (read_q[Request-1]),
      .next_valid_i  (read_next_q[Request-1]),
      .data_i        (ib_data_i),
      .next_i        (ib_next_i),
      .pair_i        (pair_q[Request]),
      .slot_i        (slot_q[Request]),
      .fold_mask_i   (mask_q[Request]),
      .wgt_we_i      (wgt_we && wgt_row == RowW'(i)),
      .wgt_bank_i    (wgt_bank),
      .wgt_tap_i     (wgt_tap),
      .wgt_data_i    (wb_data_i),
      .bank_i        (op_bank),
      .tap_i         (op_tap),
      .read_slot_i   (op_slot),
      .channel_i     (op_channels),
      .product_o     (row_products)
    );

    for (genvar j = 0; j < int'(Cols); j++) begin : gen_product
      assign products[j][i] = row_products[j];
    end

    if (i == 0) begin : gen_first_pair
      assign next_lane = row_next_lane;
    end else begin : gen_other_pair
      logic unused_next_lane;
      assign unused_next_lane = ^row_next_lane;
    end
  end

  // ---- columns ----
  logic                                write_half;  // of the sums that leave
  logic [Cols-1:0][Cols-1:0][AccW-1:0] words;

  for (genvar j = 0; j < int'(Cols); j++) begin : gen_col
    logic [SumW-1:0] column_sum;

    cd_adder_tree #(
      .Inputs        (Rows),
      .InW           (ProdW),
      .LevelsPerStage(LevelsPerStage)
    ) u_tree (
      .clk_i,
      .data_i(products[j]),
      .sum_o (column_sum)
    );

    cd_row_collect #(
      .Cols(Cols),
      .SumW(SumW),
      .AccW(AccW)
    ) u_collect (
      .clk_i,
      .valid_i    (sum_valid),
      .first_i    (sum_first),
      .last_i     (sum_last),
      .half_i     (sum_half),
      .channel_i  ((ColW'(j) & ~sum_fold_mask) | sum_channel),
      .sum_i      (column_sum),
      .read_half_i(write_half),
      .word_o     (words[j])
    );
  end

  // ---- one word a cycle leaves ----
  cd_row_write #(
    .Lanes (Lanes),
    .Cols  (Cols),
    .AccW  (AccW),
    .AbAw  (AbAw),
    .Stages(SumStage)
  ) u_write (
    .clk_i,
    .rst_ni,
    .valid_i       (out_valid),
    .half_i        (out_half),
    .tile_last_i   (out_tile_last),
    .first_i       (out_red_first && !cmd_q.accumulate),
    .channel_last_i(out_channel_last),
    .row_last_i    (out_row_last),
    .fold_mask_i   (out_fold_mask),
    .k_sub_i       (out_k_sub),
    .addr_i        (out_addr),
    .row_words_i   (AbAw'(cmd_q.q)),
    .read_half_o   (write_half),
    .words_i       (words),
    .acc_valid_o,
    .acc_first_o,
    .acc_addr_o,
    .acc_mask_o,
    .acc_data_o,
    .done_o
  );

endmodule
