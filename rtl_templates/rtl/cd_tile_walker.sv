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
module cd_tile_walker
  import cd_types_pkg::tile_cmd_t;
#(
  parameter int unsigned Lanes       = 16,    // channels of a word
  parameter int unsigned ChGroup     = 16,    // input channels of a pass; divides Lanes
  parameter int unsigned Cols        = 16,    // output channels of a pass; divides Lanes
  parameter int unsigned MinPass     = 16,    // cycles, 2 or more
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
    logic signed [CoordW-1:0] h, w;       // r * dilation - pad
    logic [IbAw-1:0]          block;      // address of pixel (-pad_top, -pad_left) of the channel block
    logic [IbAw-1:0]          row;        // block + filter row
    logic [IbAw-1:0]          addr;       // row + filter column
  } tap_t;

  logic   run_q, run_d, dual_q;  // dual_q: held, as the last pass may run on while the next command waits
  pixel_t pixel_q, pixel_d, pixel_next, origin_q, origin_d, pixel_zero;
  tap_t   tap_q, tap_d, tap_zero;

  logic [15:0]      k_left_q, k_left_d;
  logic [KSubW-1:0] k_sub_q, k_sub_d;
  logic [AbAw-1:0]  ab_block_q, ab_block_d;
  logic [PxW-1:0]   px_left_q, px_left_d;      // pixels from the present stripe's first to the tile's last
  logic [PxW-1:0]   stripe_q, stripe_d;        // pixels of the stripe
  logic [PxW-1:0]   slots_q, slots_d;          // pixels left in the pass
  logic [PxW-1:0]   cycle_q, cycle_d;
  logic [CountW-1:0] min_more_q, min_more_d;   // cycles of the pass that must still follow

  function automatic logic [CountW-1:0] channels_of(logic [15:0] left);
    return left < 16'(ChGroup) ? CountW'(left) : CountW'(ChGroup);
  endfunction

  logic slot, slots_end, pass_end, s_last, r_last, c_last, stripe_last, k_last, new_reduction, dual, skip, word_last;
  logic [15:0] k_step;                         // output channels of a pass

  assign slot        = run_q && slots_q != '0;
  assign slots_end   = slots_q <= PxW'(1);
  assign pass_end    = run_q && slots_end && min_more_q == '0;
  assign s_last      = tap_q.s_left == '0;
  assign r_last      = tap_q.r_left == '0;
  assign c_last      = tap_q.c_left <= 16'(ChGroup);
  assign stripe_last = px_left_q == stripe_q;
  assign dual        = DualRate && dual_q;
  assign k_step      = dual ? 16'(2 * Cols) : 16'(Cols);
  assign k_last      = k_left_q <= k_step;
  assign skip        = TapSkip && cmd_i.kept != '0;
  assign word_last   = Lanes == ChGroup || tap_q.ch_sub == ChSubW'(Lanes / ChGroup - 1);

  // ---- the next pass' tap, where headers name it ----
  logic signed [CoordW-1:0] next_h, next_w;
  logic [IbAw-1:0]          next_addr;

  if (TapSkip) begin : gen_next_tap
    logic [IbAw-1:0] next_block;

    always_comb begin
      next_block = tap_q.block;
      if (!run_q || red_last_o) next_block = tap_zero.block;
      else if (s_last && word_last) next_block = tap_q.block + plane_i;
    end

    cd_next_tap #(
      .IbAw  (IbAw),
      .CoordW(CoordW)
    ) u_next_tap (
      .clk_i,
      .cmd_i,
      .tap_row_i,
      .block_i     (next_block),
      .head_valid_i,
      .head_i,
      .h_o         (next_h),
      .w_o         (next_w),
      .addr_o      (next_addr)
    );
  end else begin : gen_all_taps
    assign next_h    = '0;
    assign next_w    = '0;
    assign next_addr = '0;
    logic unused_head;
    assign unused_head = ^{head_valid_i, head_i};
  end

  always_comb begin
    pixel_zero           = '0;
    pixel_zero.cols_left = cmd_i.q - 16'd1;

    tap_zero        = '0;
    tap_zero.c_left = cmd_i.c;
    tap_zero.r_left = skip ? '0 : cmd_i.r - 8'd1;
    tap_zero.s_left = skip ? 8'(cmd_i.kept) - 8'd1 : cmd_i.s - 8'd1;
    tap_zero.h      = -CoordW'(cmd_i.pad_top);
    tap_zero.w      = -CoordW'(cmd_i.pad_left);
    tap_zero.block  = IbAw'(cmd_i.ib_base) - pad_words_i - IbAw'(cmd_i.pad_left);
    tap_zero.row    = tap_zero.block;
    tap_zero.addr   = tap_zero.block;

    pixel_next       = pixel_q;
    pixel_next.index = pixel_q.index + 1'b1;
    if (pixel_q.cols_left == '0) begin
      pixel_next.cols_left = cmd_i.q - 16'd1;
      pixel_next.h         = pixel_q.h + CoordW'(cmd_i.stride_h);
      pixel_next.w         = '0;
      pixel_next.row_words = pixel_q.row_words + pixel_row_i;
      pixel_next.words     = pixel_next.row_words;
    end else begin
      pixel_next.cols_left = pixel_q.cols_left - 16'd1;
      pixel_next.w         = pixel_q.w + CoordW'(cmd_i.stride_w);
      pixel_next.words     = pixel_q.words + IbAw'(cmd_i.stride_w);
    end
  end

  always_comb begin
    run_d         = run_q;
    pixel_d       = slot ? pixel_next : pixel_q;
    origin_d      = origin_q;
    tap_d         = tap_q;
    k_left_d      = k_left_q;
    k_sub_d       = k_sub_q;
    ab_block_d    = ab_block_q;
    px_left_d     = px_left_q;
    stripe_d      = stripe_q;
    slots_d       = slot ? slots_q - 1'b1 : slots_q;
    cycle_d       = cycle_q + 1'b1;
    min_more_d    = min_more_q == '0 ? '0 : min_more_q - 1'b1;
    new_reduction = 1'b0;

    if (start_i) begin
      run_d         = 1'b1;
      pixel_d       = pixel_zero;
      origin_d      = pixel_zero;
      tap_d         = tap_zero;
      k_left_d      = cmd_i.k;
      k_sub_d       = '0;
      ab_block_d    = AbAw'(cmd_i.ab_base);
      px_left_d     = pixels_i;
      new_reduction = 1'b1;
    end else if (pass_end) begin
      if (!s_last) begin
        tap_d.s_left = tap_q.s_left - 8'd1;
        tap_d.w      = tap_q.w + CoordW'(cmd_i.dilation_w);
        tap_d.addr   = tap_q.addr + IbAw'(cmd_i.dilation_w);
      end else begin
        tap_d.s_left = tap_zero.s_left;
        tap_d.w      = tap_zero.w;
        if (!r_last) begin
          tap_d.r_left = tap_q.r_left - 8'd1;
          tap_d.h      = tap_q.h + CoordW'(cmd_i.dilation_h);
          tap_d.row    = tap_q.row + tap_row_i;
        end else begin
          tap_d.r_left = tap_zero.r_left;
          tap_d.h      = tap_zero.h;
          tap_d.c_left = tap_q.c_left - 16'(ChGroup);
          if (word_last) begin
            tap_d.ch_sub = '0;
            tap_d.block  = tap_q.block + plane_i;
          end else begin
            tap_d.ch_sub = tap_q.ch_sub + 1'b1;
          end
          tap_d.row = tap_d.block;
        end
        tap_d.addr = tap_d.row;
      end
      if (!red_last_o) begin
        pixel_d = origin_q;
      end else begin
        new_reduction = 1'b1;
        tap_d         = tap_zero;
        if (!stripe_last) begin
          origin_d  = pixel_d;
          px_left_d = px_left_q - stripe_q;
        end else begin
          origin_d  = pixel_zero;
          pixel_d   = pixel_zero;
          px_left_d = pixels_i;
          k_left_d  = k_left_q - k_step;
          if (Lanes == Cols || (k_sub_q | KSubW'(dual)) == KSubW'(Lanes / Cols - 1)) begin
            k_sub_d    = '0;
            ab_block_d = ab_block_q + AbAw'(pixels_i);
          end else begin
            k_sub_d = dual ? k_sub_q + KSubW'(2) : k_sub_q + 1'b1;
          end
          if (k_last) run_d = 1'b0;
        end
      end
    end

    if (new_reduction) stripe_d = px_left_d < PxW'(StripeLimit) ? px_left_d : PxW'(StripeFull);
    if (start_i || pass_end) begin
      if (skip) begin
        tap_d.h    = next_h;
        tap_d.w    = next_w;
        tap_d.addr = next_addr;
      end
      slots_d    = stripe_d;
      cycle_d    = '0;
      min_more_d = skip ? CountW'(MinPass) : CountW'(MinPass - 1);
      if (ChannelPass && channels_of(tap_d.c_left) > CountW'(MinPass)) begin
        min_more_d = channels_of(tap_d.c_left) - 1'b1;
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q      <= 1'b0;
      dual_q     <= 1'b0;
      pixel_q    <= '0;
      origin_q   <= '0;
      tap_q      <= '0;
      k_left_q   <= '0;
      k_sub_q    <= '0;
      ab_block_q <= '0;
      px_left_q  <= '0;
      stripe_q   <= '0;
      slots_q    <= '0;
      cycle_q    <= '0;
      min_more_q <= '0;
    end else begin
      run_q <= run_d;
      if (start_i) dual_q <= cmd_i.dual;
      if (start_i || run_q) begin
        pixel_q    <= pixel_d;
        origin_q   <= origin_d;
        tap_q      <= tap_d;
        k_left_q   <= k_left_d;
        k_sub_q    <= k_sub_d;
        ab_block_q <= ab_block_d;
        px_left_q  <= px_left_d;
        stripe_q   <= stripe_d;
        slots_q    <= slots_d;
        cycle_q    <= cycle_d;
        min_more_q <= min_more_d;
      end
    end
  end

  logic signed [CoordW-1:0] h, w;
  logic                     h_inside, w_inside;

  assign h        = pixel_q.h + tap_q.h;
  assign w        = pixel_q.w + tap_q.w;
  assign h_inside = !h[CoordW-1] && h < signed'(CoordW'(cmd_i.in_h));
  assign w_inside = !w[CoordW-1] && w < signed'(CoordW'(cmd_i.in_w));

  assign pass_start_o    = run_q && cycle_q == '0;
  assign red_first_o     = tap_q.c_left == cmd_i.c && tap_q.r_left == tap_zero.r_left &&
                           tap_q.s_left == tap_zero.s_left;
  assign red_last_o      = s_last && r_last && c_last;
  assign stripe_last_o   = stripe_last;
  assign tile_last_o     = red_last_o && stripe_last && k_last;
  assign ch_sub_o        = tap_q.ch_sub;
  assign k_sub_o         = k_sub_q;
  assign channels_o      = channels_of(tap_q.c_left);
  assign stripe_pixels_o = stripe_q;
  assign cycle_o         = cycle_q;
  assign slot_o          = slot;
  assign slot_last_o     = slot && slots_end;
  assign ib_req_o        = slot && h_inside && w_inside;
  assign ib_addr_o       = tap_q.addr + pixel_q.words;
  assign ab_addr_o       = ab_block_q + pixel_q.index;

  // Fields of the command that the walk does not use.
  logic unused_cmd;
  assign unused_cmd = ^cmd_i;

endmodule
