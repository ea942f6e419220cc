// The loop nest of a tile, one input word a cycle:
//
//   for each group of Cols output channels
//     for each stripe of output pixels
//       for each group of ChGroup input channels, filter row, filter column      -- one pass
//         for each pixel of the stripe                                           -- one cycle: a slot
//
// All addresses are sums of increments. A pass lasts as many cycles as it has pixels, but at least MinPass (and, with
// ChannelPass, at least one for each of its input channels). The first slot follows start_i by one cycle.
//
// With TapSkip a command may keep some filter taps of each channel group: there are then so many passes instead of one
// for each filter row and column, headers (of the weights) name their taps, and a pass has one cycle more at least.
//
// What holds through a pass is worked out during the one before it, in three steps, a register each; the first pass's
// before start_i: cmd_i, pad_words_i and pixels_i have to be there three cycles earlier.
module cd_tile_walker
  import cd_types_pkg::tile_cmd_t;
#(
  parameter int unsigned Lanes       = 16,    // channels of a word
  parameter int unsigned ChGroup     = 16,    // input channels of a pass; divides Lanes
  parameter int unsigned Cols        = 16,    // output channels of a pass; divides Lanes
  parameter int unsigned MinPass     = 16,    // cycles, 4 or more
  parameter int unsigned Stripe      = 0,     // pixels of a stripe; 0: one stripe holds all pixels
  parameter bit          MergeLast   = 1'b1,  // the last stripe takes up to 2 * Stripe - 1 pixels
  parameter bit          ChannelPass = 1'b0,
  parameter bit          DualRate    = 1'b0,  // twice as many output channels a pass where the command says so
  parameter bit          TapSkip     = 1'b0,
  parameter int unsigned IbAw        = 12,
  parameter int unsigned AbAw        = 12,
  parameter int unsigned PxW         = 21,
  localparam int unsigned ChSubW     = Lanes > ChGroup ? $clog2(Lanes / ChGroup) : 1,
  localparam int unsigned KSubW      = Lanes > Cols ? $clog2(Lanes / Cols) : 1,
  localparam int unsigned CountW     = $clog2(Lanes + 1)
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic              start_i,         // products and cmd_i are valid from here to the end of the tile
  input  tile_cmd_t         cmd_i,
  input  logic [IbAw-1:0]   plane_i,
  input  logic [IbAw-1:0]   pad_words_i,
  input  logic [IbAw-1:0]   tap_row_i,
  input  logic [IbAw-1:0]   pixel_row_i,
  input  logic [PxW-1:0]    pixels_i,
  input  logic              head_valid_i,    // a header, of the pass after the present one
  input  logic [3:0]        head_i,
  // The pass.
  output logic              pass_start_o,    // its first cycle
  output logic              red_first_o,     // first of its reduction
  output logic              red_last_o,      // last of its reduction
  output logic              stripe_last_o,   // of the last stripe of its output channels
  output logic              tile_last_o,     // last of the tile
  output logic [ChSubW-1:0] ch_sub_o,        // which ChGroup lanes of the input word
  output logic [KSubW-1:0]  k_sub_o,         // which Cols lanes of the output word
  output logic [CountW-1:0] channels_o,      // input channels of the pass
  output logic [PxW-1:0]    stripe_pixels_o,
  output logic [PxW-1:0]    cycle_o,         // cycle of the pass
  // The slot.
  output logic              slot_o,          // a pixel is visited in this cycle
  output logic              slot_last_o,     // the last of the pass
  output logic              ib_req_o,        // the pixel is not padding: read it
  output logic [IbAw-1:0]   ib_addr_o,
  output logic [AbAw-1:0]   ab_addr_o
);

  localparam int unsigned CoordW = 26;  // signed coordinates: 65535 * 255 + 255 * 255 fits

  // A stripe that starts with fewer than StripeLimit pixels left takes them all.
  localparam int unsigned StripeFull  = Stripe == 0 ? 2 ** PxW - 1 : Stripe;
  localparam int unsigned StripeLimit = Stripe == 0 ? 2 ** PxW - 1 : (MergeLast ? 2 * Stripe : Stripe);

  // One pixel of the tile: its position, and the same as offsets.
  typedef struct packed {
    logic [15:0]              cols_left;  // columns of the row after this one
    logic                     col_last;   // none
    logic signed [CoordW-1:0] h, w;       // input coordinates under filter tap (0, 0), before padding
    logic [IbAw-1:0]          row_words;  // input words from the origin to the row's first pixel
    logic [IbAw-1:0]          words;      // ... to the pixel
    logic [AbAw-1:0]          index;      // output words
  } pixel_t;

  // One pass of a reduction.
  typedef struct packed {
    logic [15:0]              c_left;     // input channels, this pass included
    logic [ChSubW-1:0]        ch_sub;
    logic [7:0]               r_left, s_left;  // filter rows and columns after this one
    logic                     r_last, s_last;  // none; of the next pass known a cycle later than the rest
    logic signed [CoordW-1:0] h, w;       // r * dilation - pad
    logic [IbAw-1:0]          block;      // address of pixel (-pad_top, -pad_left) of the channel block
    logic [IbAw-1:0]          row;        // block + filter row
    logic [IbAw-1:0]          addr;       // row + filter column
  } tap_t;

  logic   run_q;
  pixel_t pixel_q, pixel_d, pixel_next, origin_q, pixel_zero;

  // ---- The pass, and the next one ----
  tap_t              tap_q, tap_d, tap_next_q, tap_zero;
  logic [15:0]       k_left_q, k_left_d, k_left_next_q;
  logic [KSubW-1:0]  k_sub_q, k_sub_d, k_sub_next_q;
  logic [AbAw-1:0]   ab_block_q, ab_block_d, ab_block_next_q;
  logic [PxW-1:0]    px_left_q, px_left_d, px_left_next_q;  // pixels from the stripe's first to the tile's last
  logic              red_first_q, red_first_next_q;
  logic [PxW-1:0]    stripe_q, stripe_next_q;               // pixels of the stripe
  logic              r_last_next_q, s_last_next_q, one_col_q;   // one_col_q: a column of outputs
  logic              red_last_q, red_last_next_q, k_last_q, k_last_next_q;
  logic [CountW-1:0] channels_q, channels_next_q;           // input channels
  logic              stripe_last_q, stripe_last_next_q, single_next_q;  // single: a stripe of one pixel
  logic [CountW-1:0] min_next_q;                            // cycles that must follow the first

  logic        dual, skip;
  logic [15:0] k_step;                                      // output channels of a pass
  assign dual   = DualRate && cmd_i.dual;
  assign skip   = TapSkip && cmd_i.kept != '0;
  assign k_step = dual ? 16'(2 * Cols) : 16'(Cols);

  always_comb begin
    tap_zero        = '0;
    tap_zero.c_left = cmd_i.c;
    tap_zero.r_left = skip ? '0 : cmd_i.r - 8'd1;
    tap_zero.s_left = skip ? 8'(cmd_i.kept) - 8'd1 : cmd_i.s - 8'd1;
    tap_zero.h      = -CoordW'(cmd_i.pad_top);
    tap_zero.w      = -CoordW'(cmd_i.pad_left);
    tap_zero.block  = IbAw'(cmd_i.ib_base) - pad_words_i - IbAw'(cmd_i.pad_left);
    tap_zero.row    = tap_zero.block;
    tap_zero.addr   = tap_zero.block;

    tap_d      = tap_q;
    k_left_d   = k_left_q;
    k_sub_d    = k_sub_q;
    ab_block_d = ab_block_q;
    px_left_d  = px_left_q;
    if (!tap_q.s_last) begin
      tap_d.s_left = tap_q.s_left - 8'd1;
      tap_d.w      = tap_q.w + CoordW'(cmd_i.dilation_w);
      tap_d.addr   = tap_q.addr + IbAw'(cmd_i.dilation_w);
    end else begin
      tap_d.s_left = tap_zero.s_left;
      tap_d.w      = tap_zero.w;
      if (!tap_q.r_last) begin
        tap_d.r_left = tap_q.r_left - 8'd1;
        tap_d.h      = tap_q.h + CoordW'(cmd_i.dilation_h);
        tap_d.row    = tap_q.row + tap_row_i;
      end else begin
        tap_d.r_left = tap_zero.r_left;
        tap_d.h      = tap_zero.h;
        tap_d.c_left = tap_q.c_left - 16'(ChGroup);
        if (Lanes == ChGroup || tap_q.ch_sub == ChSubW'(Lanes / ChGroup - 1)) begin
          tap_d.ch_sub = '0;
          tap_d.block  = tap_q.block + plane_i;
        end else begin
          tap_d.ch_sub = tap_q.ch_sub + 1'b1;
        end
        tap_d.row = tap_d.block;
      end
      tap_d.addr = tap_d.row;
    end
    if (red_last_q) begin
      tap_d = tap_zero;
      if (!stripe_last_q) begin
        px_left_d = px_left_q - stripe_q;
      end else begin
        px_left_d = pixels_i;
        k_left_d  = k_left_q - k_step;
        if (Lanes == Cols || (k_sub_q | KSubW'(dual)) == KSubW'(Lanes / Cols - 1)) begin
          k_sub_d    = '0;
          ab_block_d = ab_block_q + AbAw'(pixels_i);
        end else begin
          k_sub_d = dual ? k_sub_q + KSubW'(2) : k_sub_q + 1'b1;
        end
      end
    end
    if (!run_q) begin  // the first
      tap_d      = tap_zero;
      k_left_d   = cmd_i.k;
      k_sub_d    = '0;
      ab_block_d = AbAw'(cmd_i.ab_base);
      px_left_d  = pixels_i;
    end
  end

  always_ff @(posedge clk_i) begin
    one_col_q        <= cmd_i.q == 16'd1;
    tap_next_q       <= tap_d;
    k_left_next_q    <= k_left_d;
    k_sub_next_q     <= k_sub_d;
    ab_block_next_q  <= ab_block_d;
    px_left_next_q   <= px_left_d;
    red_first_next_q <= red_last_q || !run_q;

    r_last_next_q    <= tap_next_q.r_left == '0;
    s_last_next_q    <= tap_next_q.s_left == '0;
    red_last_next_q  <= tap_next_q.s_left == '0 && tap_next_q.r_left == '0 && tap_next_q.c_left <= 16'(ChGroup);
    k_last_next_q    <= k_left_next_q <= k_step;
    channels_next_q  <= tap_next_q.c_left < 16'(ChGroup) ? CountW'(tap_next_q.c_left) : CountW'(ChGroup);
    stripe_next_q    <= px_left_next_q < PxW'(StripeLimit) ? px_left_next_q : PxW'(StripeFull);

    stripe_last_next_q <= px_left_next_q == stripe_next_q;
    single_next_q      <= stripe_next_q <= PxW'(1);
    min_next_q         <= skip ? CountW'(MinPass) : CountW'(MinPass - 1);
    if (ChannelPass && channels_next_q > CountW'(MinPass)) min_next_q <= channels_next_q - 1'b1;
  end

  // Where its tap lies, if a header names it.
  logic signed [CoordW-1:0] head_h, head_w;
  logic [IbAw-1:0]          head_addr;
  tap_t                     tap_after;

  if (TapSkip) begin : gen_next_tap
    cd_next_tap #(
      .IbAw  (IbAw),
      .CoordW(CoordW)
    ) u_next_tap (
      .clk_i,
      .cmd_i,
      .tap_row_i,
      .block_i     (tap_next_q.block),
      .head_valid_i,
      .head_i,
      .h_o         (head_h),
      .w_o         (head_w),
      .addr_o      (head_addr)
    );
  end else begin : gen_all_taps
    assign head_h    = '0;
    assign head_w    = '0;
    assign head_addr = '0;
    logic unused_head;
    assign unused_head = ^{head_valid_i, head_i};
  end

  always_comb begin
    tap_after        = tap_next_q;
    tap_after.r_last = r_last_next_q;
    tap_after.s_last = s_last_next_q;
    if (skip) begin
      tap_after.h    = head_h;
      tap_after.w    = head_w;
      tap_after.addr = head_addr;
    end
  end

  // ---- Slots ----
  logic [PxW-1:0]    slots_q;                // pixels left in the pass
  logic [PxW-1:0]    cycle_q;
  logic [CountW-1:0] min_more_q;             // cycles of the pass that must still follow
  logic              some_q, end_q, min_end_q, pass_start_q;  // slots_q > 0, slots_q <= 1, min_more_q == 0
  logic              slot, pass_end;

  assign slot     = run_q && some_q;
  assign pass_end = run_q && end_q && min_end_q;

  always_comb begin
    pixel_zero           = '0;
    pixel_zero.cols_left = cmd_i.q - 16'd1;
    pixel_zero.col_last  = one_col_q;

    pixel_next       = pixel_q;
    pixel_next.index = pixel_q.index + 1'b1;
    if (pixel_q.col_last) begin
      pixel_next.cols_left = cmd_i.q - 16'd1;
      pixel_next.col_last  = one_col_q;
      pixel_next.h         = pixel_q.h + CoordW'(cmd_i.stride_h);
      pixel_next.w         = '0;
      pixel_next.row_words = pixel_q.row_words + pixel_row_i;
      pixel_next.words     = pixel_next.row_words;
    end else begin
      pixel_next.cols_left = pixel_q.cols_left - 16'd1;
      pixel_next.col_last  = pixel_q.cols_left == 16'd1;
      pixel_next.w         = pixel_q.w + CoordW'(cmd_i.stride_w);
      pixel_next.words     = pixel_q.words + IbAw'(cmd_i.stride_w);
    end

    pixel_d = some_q ? pixel_next : pixel_q;
    if (pass_end && !red_last_q) pixel_d = origin_q;
    if ((pass_end && red_last_q && stripe_last_q) || !run_q) pixel_d = pixel_zero;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q        <= 1'b0;
      pass_start_q <= 1'b0;
      cycle_q      <= '0;
    end else begin
      if (start_i) run_q <= 1'b1;
      else if (pass_end && red_last_q && stripe_last_q && k_last_q) run_q <= 1'b0;
      pass_start_q <= start_i || pass_end;
      if (start_i || pass_end) cycle_q <= '0;
      else if (run_q) cycle_q <= cycle_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    pixel_q <= pixel_d;
    if (!run_q || (pass_end && red_last_q)) origin_q <= pixel_d;
    if (some_q) begin
      slots_q <= slots_q - 1'b1;
      some_q  <= !end_q;
      end_q   <= slots_q <= PxW'(2);
    end
    if (!min_end_q) begin
      min_more_q <= min_more_q - 1'b1;
      min_end_q  <= min_more_q == CountW'(1);
    end
    if (start_i || pass_end) begin
      tap_q         <= tap_after;
      k_left_q      <= k_left_next_q;
      k_sub_q       <= k_sub_next_q;
      ab_block_q    <= ab_block_next_q;
      px_left_q     <= px_left_next_q;
      red_first_q   <= red_first_next_q;
      stripe_q      <= stripe_next_q;
      red_last_q    <= red_last_next_q;
      k_last_q      <= k_last_next_q;
      channels_q    <= channels_next_q;
      stripe_last_q <= stripe_last_next_q;
      slots_q       <= stripe_next_q;
      some_q        <= 1'b1;
      end_q         <= single_next_q;
      min_more_q    <= min_next_q;
      min_end_q     <= 1'b0;
    end
  end

  logic signed [CoordW-1:0] h, w;
  logic                     h_inside, w_inside;

  assign h        = pixel_q.h + tap_q.h;
  assign w        = pixel_q.w + tap_q.w;
  assign h_inside = !h[CoordW-1] && h < signed'(CoordW'(cmd_i.in_h));
  assign w_inside = !w[CoordW-1] && w < signed'(CoordW'(cmd_i.in_w));

  assign pass_start_o    = run_q && pass_start_q;
  assign red_first_o     = red_first_q;
  assign red_last_o      = red_last_q;
  assign stripe_last_o   = stripe_last_q;
  assign tile_last_o     = red_last_q && stripe_last_q && k_last_q;
  assign ch_sub_o        = tap_q.ch_sub;
  assign k_sub_o         = k_sub_q;
  assign channels_o      = channels_q;
  assign stripe_pixels_o = stripe_q;
  assign cycle_o         = cycle_q;
  assign slot_o          = slot;
  assign slot_last_o     = slot && end_q;
  assign ib_req_o        = slot && h_inside && w_inside;
  assign ib_addr_o       = tap_q.addr + pixel_q.words;
  assign ab_addr_o       = ab_block_q + pixel_q.index;

  // Fields of the command that the walk does not use.
  logic unused_cmd;
  assign unused_cmd = ^cmd_i;

endmodule
