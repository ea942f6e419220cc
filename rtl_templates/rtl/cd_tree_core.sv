// What the two adder-tree arrays share: the walk over a tile, weights ahead of their pass, and the trees.
//
// Each slot of the walk yields the Cols partial sums of one pixel, Latency cycles later, with its place in the nest.
module cd_tree_core
  import cd_types_pkg::tile_cmd_t;
#(
  parameter  int unsigned Rows   = 16,
  parameter  int unsigned Cols   = 16,
  parameter  int unsigned ActW   = 8,
  parameter  int unsigned WgtW   = 8,
  parameter  int unsigned IbAw   = 12,
  parameter  int unsigned WbAw   = 12,
  parameter  int unsigned AbAw   = 12,
  parameter  int unsigned Stripe = 0,    // pixels of a stripe; 0: the tile
  parameter  bit          DualRate = 1'b0, // passes of 2 * Cols output channels with weights of half the width
  parameter  bit          TapSkip = 1'b0,  // passes of those filter taps alone that headers in the weights name
  parameter  int unsigned LevelsPerStage = 2,
  localparam int unsigned Outs   = DualRate ? 2 * Cols : Cols,
  localparam int unsigned Lanes  = Rows > Outs ? Rows : Outs,
  localparam int unsigned KSubW  = Lanes > Cols ? $clog2(Lanes / Cols) : 1,
  localparam int unsigned IndexW = Stripe > 0 ? $clog2(2 * Stripe) : 1,
  localparam int unsigned SumW   = ActW + WgtW + $clog2(Rows)
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,
  input  logic                       idle_i,       // no tile is worked on: with start_i at the latest
  input  logic                       start_i,
  input  tile_cmd_t                  cmd_i,        // with start_i
  output logic                       ib_req_o,
  output logic [IbAw-1:0]            ib_addr_o,
  input  logic [Lanes-1:0][ActW-1:0] ib_data_i,
  output logic                       wb_req_o,
  output logic [WbAw-1:0]            wb_addr_o,
  input  logic [Cols-1:0][WgtW-1:0]  wb_data_i,
  // Partial sums.
  output logic                       valid_o,
  output logic                       red_first_o,  // first of the pixel's reduction
  output logic                       red_last_o,   // last of the pixel's reduction
  output logic                       tile_last_o,  // last of the tile
  output logic                       accumulate_o,
  output logic [IndexW-1:0]          index_o,       // pixel of the stripe
  output logic [IndexW-1:0]          index_early_o, // index_o of two cycles later
  output logic [AbAw-1:0]            ab_addr_o,
  output logic [KSubW-1:0]           k_sub_o,
  output logic                       dual_o,
  output logic [Outs-1:0][SumW-1:0]  sum_o
);

  localparam int unsigned PxW        = 21;
  localparam int unsigned ChSubW     = Lanes > Rows ? $clog2(Lanes / Rows) : 1;
  localparam int unsigned TreeStages = ($clog2(Rows) + LevelsPerStage - 1) / LevelsPerStage;
  localparam int unsigned Latency    = 4 + TreeStages;  // from slot to sum: buffer and its register, input register, products, tree

  if (Rows < 4 || Cols < 4 || 2 ** $clog2(Rows) != Rows || 2 ** $clog2(Cols) != Cols) begin : gen_check
    $error("cd_tree_core: Rows and Cols must be powers of two, 4 or more");
  end

  typedef struct packed {
    logic              valid, red_first, red_last, tile_last;
    logic [IndexW-1:0] index;
    logic [AbAw-1:0]   ab_addr;
    logic [KSubW-1:0]  k_sub;
  } place_t;

  // Taken in every idle cycle: start_i, which is known late, need not reach so many registers.
  tile_cmd_t cmd_q;
  always_ff @(posedge clk_i) begin
    if (idle_i) cmd_q <= cmd_i;
  end

  // ---- walk ----
  logic            ready, ready_q, walk_start, loading, first_load_q;
  logic [IbAw-1:0] plane, pad_words, tap_row, pixel_row;
  logic [PxW-1:0]  pixels;

  cd_tile_setup #(
    .IbAw(IbAw),
    .PxW (PxW)
  ) u_setup (
    .clk_i,
    .rst_ni,
    .start_i,
    .cmd_i      (cmd_q),
    .ready_o    (ready),
    .plane_o    (plane),
    .pad_words_o(pad_words),
    .tap_row_o  (tap_row),
    .pixel_row_o(pixel_row),
    .pixels_o   (pixels)
  );

  // The walk starts when the products are there and the first weights are being read to their last word.
  assign walk_start = (ready || ready_q) && !(first_load_q && loading);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ready_q      <= 1'b0;
      first_load_q <= 1'b0;
    end else begin
      ready_q <= (ready || ready_q) && !walk_start;
      if (start_i) first_load_q <= 1'b1;
      else if (!loading) first_load_q <= 1'b0;
    end
  end

  logic              pass_start, red_first, red_last, stripe_last, tile_last, slot, slot_last, ib_req;
  logic [ChSubW-1:0] ch_sub;
  logic [KSubW-1:0]  k_sub;
  logic [AbAw-1:0]   ab_addr;
  logic [IbAw-1:0]   ib_addr;
  logic [PxW-1:0]    cycle, unused_stripe;
  logic [$clog2(Lanes+1)-1:0] unused_channels;
  logic unused_cycle, head_valid;
  assign unused_cycle = ^cycle;

  cd_tile_walker #(
    .Lanes  (Lanes),
    .DualRate(DualRate),
    .TapSkip(TapSkip),
    .ChGroup(Rows),
    .Cols   (Cols),
    .MinPass(Rows),
    .Stripe (Stripe),
    .IbAw   (IbAw),
    .AbAw   (AbAw),
    .PxW    (PxW)
  ) u_walker (
    .clk_i,
    .rst_ni,
    .start_i        (walk_start),
    .cmd_i          (cmd_q),
    .plane_i        (plane),
    .pad_words_i    (pad_words),
    .tap_row_i      (tap_row),
    .pixel_row_i    (pixel_row),
    .pixels_i       (pixels),
    .head_valid_i   (head_valid),
    .head_i         ({wb_data_i[1][1:0], wb_data_i[0][1:0]}),
    .pass_start_o   (pass_start),
    .red_first_o    (red_first),
    .red_last_o     (red_last),
    .stripe_last_o  (stripe_last),
    .tile_last_o    (tile_last),
    .ch_sub_o       (ch_sub),
    .k_sub_o        (k_sub),
    .channels_o     (unused_channels),
    .stripe_pixels_o(unused_stripe),
    .cycle_o        (cycle),
    .slot_o         (slot),
    .slot_last_o    (slot_last),
    .ib_req_o       (ib_req),
    .ib_addr_o      (ib_addr),
    .ab_addr_o      (ab_addr)
  );

  // Slots go through a register: sums and comparisons of addresses do not reach the buffer in their cycle. So do weights.
  place_t            place, slot_q;
  logic              pass_start_q, ib_req_q;
  logic [IbAw-1:0]   ib_addr_q;
  logic [ChSubW-1:0] slot_sub_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      slot_q       <= '0;
      pass_start_q <= 1'b0;
      ib_req_q     <= 1'b0;
    end else begin
      slot_q       <= place;
      pass_start_q <= pass_start;
      ib_req_q     <= ib_req;
    end
  end
  always_ff @(posedge clk_i) begin
    ib_addr_q  <= ib_addr;
    slot_sub_q <= ch_sub;
  end
  assign ib_req_o  = ib_req_q;
  assign ib_addr_o = ib_addr_q;

  // ---- weights ----
  logic                      wgt_we, wgt_we_q;
  logic [$clog2(Rows)-1:0]   wgt_row, wgt_row_q;
  logic [Cols-1:0][WgtW-1:0] wgt_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) wgt_we_q <= 1'b0;
    else wgt_we_q <= wgt_we;
  end
  always_ff @(posedge clk_i) begin
    wgt_row_q <= wgt_row;
    wgt_q     <= wb_data_i;
  end

  cd_weight_fetch #(
    .Rows(Rows),
    .WbAw(WbAw)
  ) u_weights (
    .clk_i,
    .rst_ni,
    .start_i,
    .headed_i     (TapSkip && cmd_q.kept != '0),
    .base_i       (WbAw'(cmd_i.wb_base)),
    .pass_start_i (pass_start),
    .red_last_i   (red_last),
    .stripe_last_i(stripe_last),
    .tile_last_i  (tile_last),
    .loading_o    (loading),
    .wb_req_o,
    .wb_addr_o,
    .head_o       (head_valid),
    .we_o         (wgt_we),
    .row_o        (wgt_row)
  );

  // ---- data ----
  logic [1:0]                read_q, swap_q;  // of the slot whose word is inside its memory; in its register
  logic [1:0][ChSubW-1:0]    ch_sub_q;
  logic [Rows-1:0][ActW-1:0] act, act_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      read_q   <= '0;
      swap_q   <= '0;
      ch_sub_q <= '0;
    end else begin
      read_q   <= {read_q[0], ib_req_q};
      swap_q   <= {swap_q[0], pass_start_q};
      ch_sub_q <= {ch_sub_q[0], slot_sub_q};
    end
  end

  if (Lanes == Rows) begin : gen_whole_word
    assign act = ib_data_i;
    logic unused_sub;
    assign unused_sub = ^ch_sub_q;
  end else begin : gen_part_word
    logic [Lanes/Rows-1:0][Rows-1:0][ActW-1:0] parts;
    assign parts = ib_data_i;
    assign act   = parts[ch_sub_q[1]];
  end

  always_ff @(posedge clk_i) act_q <= read_q[1] ? act : '0;

  cd_mac_trees #(
    .Rows          (Rows),
    .Cols          (Cols),
    .ActW          (ActW),
    .WgtW          (WgtW),
    .DualRate      (DualRate),
    .LevelsPerStage(LevelsPerStage)
  ) u_trees (
    .clk_i,
    .dual_i    (cmd_q.dual),
    .wgt_we_i  (wgt_we_q),
    .wgt_row_i (wgt_row_q),
    .wgt_data_i(wgt_q),
    .swap_i    (swap_q[1]),
    .act_i     (act_q),
    .sum_o
  );

  // ---- place of each sum ----
  place_t [Latency-1:0] place_q;

  assign place = '{  // of the slot
      valid:     slot,
      red_first: red_first,
      red_last:  red_last,
      tile_last: tile_last && slot_last,
      index:     IndexW'(cycle),
      ab_addr:   ab_addr,
      k_sub:     k_sub
  };

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) place_q <= '0;
    else place_q <= {place_q[Latency-2:0], slot_q};
  end

  assign valid_o       = place_q[Latency-1].valid;
  assign red_first_o   = place_q[Latency-1].red_first;
  assign red_last_o    = place_q[Latency-1].red_last;
  assign tile_last_o   = place_q[Latency-1].tile_last;
  assign index_o       = place_q[Latency-1].index;
  assign index_early_o = place_q[Latency-3].index;
  assign ab_addr_o     = place_q[Latency-1].ab_addr;
  assign k_sub_o       = place_q[Latency-1].k_sub;
  assign accumulate_o  = cmd_q.accumulate;
  assign dual_o        = DualRate && cmd_q.dual;

endmodule
