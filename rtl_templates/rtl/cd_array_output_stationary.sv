// Output-stationary array (ShiDianNao): Rows pixels x Cols output channels, partial sums stay in their PEs.
//
// Loop order: groups of Cols output channels, groups of Rows pixels, then the whole reduction (blocks of Lanes input
// channels, filter rows, filter columns, channels of the block). For one filter tap the Rows input words of the pixels
// are read into one half of a transposer, while the other half yields, each cycle, one channel of all Rows pixels to
// meet one word of Cols weights. A tap of fewer than Rows channels therefore takes Rows cycles. Finished sums leave
// through shadow registers, one pixel a cycle, under the next group.
module cd_array_output_stationary
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
  output logic [IbAw-1:0]            ib_addr_o,
  input  logic [Lanes-1:0][ActW-1:0] ib_data_i,
  output logic                       wb_req_o,
  output logic [WbAw-1:0]            wb_addr_o,
  input  logic [Cols-1:0][WgtW-1:0]  wb_data_i,
  output logic                       acc_valid_o,
  output logic                       acc_first_o,
  output logic [AbAw-1:0]            acc_addr_o,
  output logic [Lanes-1:0]           acc_mask_o,
  output logic [Lanes-1:0][AccW-1:0] acc_data_o
);

  localparam int unsigned PxW    = 21;
  localparam int unsigned KSubW  = Lanes > Cols ? $clog2(Lanes / Cols) : 1;
  localparam int unsigned RowAw  = $clog2(Rows);
  localparam int unsigned LaneAw = $clog2(Lanes);
  localparam int unsigned CountW = $clog2(Lanes + 1);

  if (Rows < 4 || Cols < 4 || 2 ** $clog2(Rows) != Rows || 2 ** $clog2(Cols) != Cols) begin : gen_check
    $error("cd_array_output_stationary: Rows and Cols must be powers of two, 4 or more");
  end

  // One filter tap of one block of channels for one group of pixels.
  typedef struct packed {
    logic              red_first, red_last, stripe_last, tile_last;
    logic              half;
    logic [CountW-1:0] channels;
    logic [RowAw-1:0]  pixel_last;  // index of the group's last pixel
    logic [AbAw-1:0]   ab_addr;     // of the group's first pixel
    logic [KSubW-1:0]  k_sub;
  } tap_t;

  // What a finished group needs to be written.
  typedef struct packed {
    logic             tile_last;
    logic [RowAw-1:0] pixel_last;
    logic [AbAw-1:0]  ab_addr;
    logic [KSubW-1:0] k_sub;
  } group_t;

  // One channel on its way through the PEs.
  typedef struct packed {
    logic   add, first, last;
    group_t group;
  } step_t;

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

  // ---- walk ----
  logic              ready, unused_slot_last, unused_ch_sub;
  logic [IbAw-1:0]   plane, pad_words, tap_row, pixel_row;
  logic [PxW-1:0]    pixels;

  // What the walk says, a register behind it: sums and comparisons of addresses do not reach the buffer in their cycle.
  typedef struct packed {
    logic              pass_start, red_first, red_last, stripe_last, tile_last, slot, ib_req;
    logic [PxW-1:0]    cycle, stripe_pixels;
    logic [KSubW-1:0]  k_sub;
    logic [CountW-1:0] channels;
    logic [IbAw-1:0]   ib_addr;
    logic [AbAw-1:0]   ab_addr;
  } walk_t;
  walk_t walk, walk_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) walk_q <= '0;
    else walk_q <= walk;
  end
  assign ib_req_o  = walk_q.ib_req;
  assign ib_addr_o = walk_q.ib_addr;

  cd_tile_setup #(
    .IbAw(IbAw),
    .PxW (PxW)
  ) u_setup (
    .clk_i,
    .rst_ni,
    .start_i    (start),
    .cmd_i      (cmd_q),
    .ready_o    (ready),
    .plane_o    (plane),
    .pad_words_o(pad_words),
    .tap_row_o  (tap_row),
    .pixel_row_o(pixel_row),
    .pixels_o   (pixels)
  );

  cd_tile_walker #(
    .Lanes      (Lanes),
    .ChGroup    (Lanes),
    .Cols       (Cols),
    .MinPass    (Rows),
    .Stripe     (Rows),
    .MergeLast  (1'b0),
    .ChannelPass(1'b1),
    .IbAw       (IbAw),
    .AbAw       (AbAw),
    .PxW        (PxW)
  ) u_walker (
    .clk_i,
    .rst_ni,
    .start_i        (ready),
    .cmd_i          (cmd_q),
    .plane_i        (plane),
    .pad_words_i    (pad_words),
    .tap_row_i      (tap_row),
    .pixel_row_i    (pixel_row),
    .pixels_i       (pixels),
    .head_valid_i   (1'b0),
    .head_i         ('0),
    .pass_start_o   (walk.pass_start),
    .red_first_o    (walk.red_first),
    .red_last_o     (walk.red_last),
    .stripe_last_o  (walk.stripe_last),
    .tile_last_o    (walk.tile_last),
    .ch_sub_o       (unused_ch_sub),
    .k_sub_o        (walk.k_sub),
    .channels_o     (walk.channels),
    .stripe_pixels_o(walk.stripe_pixels),
    .cycle_o        (walk.cycle),
    .slot_o         (walk.slot),
    .slot_last_o    (unused_slot_last),
    .ib_req_o       (walk.ib_req),
    .ib_addr_o      (walk.ib_addr),
    .ab_addr_o      (walk.ab_addr)
  );

  // ---- fill one half of the transposer: a slot's word is inside its memory in the first cycle of the two ----
  typedef struct packed {
    logic             slot, read, half;
    logic [RowAw-1:0] row;
  } word_t;
  word_t             word;
  word_t [1:0]       word_q;
  logic              half_q;
  assign word = '{slot: walk_q.slot, read: walk_q.ib_req, half: half_q, row: RowAw'(walk_q.cycle)};
  logic [AbAw-1:0]   group_addr_q;
  logic              filled_q;   // all slots of tap_q have been requested
  tap_t              tap_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      word_q       <= '0;
      half_q       <= 1'b0;
      group_addr_q <= '0;
      filled_q     <= 1'b0;
      tap_q        <= '0;
    end else begin
      word_q <= {word_q[0], word};
      if (walk_q.pass_start) group_addr_q <= walk_q.ab_addr;
      filled_q <= busy_q && walk_q.cycle == PxW'(Rows - 1);
      if (walk_q.cycle == PxW'(Rows - 1)) begin
        half_q <= !half_q;
        tap_q  <= '{
            red_first:   walk_q.red_first,
            red_last:    walk_q.red_last,
            stripe_last: walk_q.stripe_last,
            tile_last:   walk_q.tile_last,
            half:        half_q,
            channels:    walk_q.channels,
            pixel_last:  RowAw'(walk_q.stripe_pixels - 1'b1),
            ab_addr:     group_addr_q,
            k_sub:       walk_q.k_sub
        };
      end
    end
  end

  // ---- one channel a cycle: the weights' request; the transposer is read in the cycle after it ----
  logic                      run_q, channel_last, group_first;
  logic [CountW-1:0]         channel_q;
  tap_t                      now_q;
  logic [WbAw-1:0]           ptr_q, group_ptr_q;  // next weight word; first one of the output channels
  logic                      stripe_last_q;       // the former group was the last of its output channels
  logic                      read_half_q;
  logic [LaneAw-1:0]         read_lane_q;
  logic [Rows-1:0][ActW-1:0] act, act_q, act_d_q;
  logic [Cols-1:0][WgtW-1:0] weight_q;

  assign channel_last  = channel_q == now_q.channels - 1'b1;
  assign group_first = now_q.red_first && channel_q == '0;
  assign wb_req_o      = run_q;
  assign wb_addr_o     = (group_first && !stripe_last_q) ? group_ptr_q : ptr_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q         <= 1'b0;
      channel_q     <= '0;
      now_q         <= '0;
      ptr_q         <= '0;
      group_ptr_q   <= '0;
      stripe_last_q <= 1'b1;
    end else begin
      if (start) begin
        ptr_q         <= WbAw'(cmd_i.wb_base);
        group_ptr_q   <= WbAw'(cmd_i.wb_base);
        stripe_last_q <= 1'b1;
      end else if (run_q) begin
        ptr_q <= wb_addr_o + 1'b1;
        if (group_first) begin
          stripe_last_q <= now_q.stripe_last;
          if (stripe_last_q) group_ptr_q <= ptr_q;
        end
      end
      if (filled_q) begin
        run_q     <= 1'b1;
        channel_q <= '0;
        now_q     <= tap_q;
      end else if (run_q) begin
        run_q     <= !channel_last;
        channel_q <= channel_q + 1'b1;
      end
    end
  end

  cd_transposer #(
    .Rows (Rows),
    .Lanes(Lanes),
    .ActW (ActW)
  ) u_transposer (
    .clk_i,
    .we_i       (word_q[1].slot),
    .we_half_i  (word_q[1].half),
    .we_row_i   (word_q[1].row),
    .word_i     (word_q[1].read ? ib_data_i : '0),
    .read_half_i(read_half_q),
    .read_lane_i(read_lane_q),
    .pixels_o   (act)
  );

  always_ff @(posedge clk_i) begin
    read_half_q <= now_q.half;
    read_lane_q <= LaneAw'(channel_q);
    act_q       <= act;
    act_d_q     <= act_q;
    weight_q    <= wb_data_i;
  end

  // ---- multiply, add, shift out ----
  localparam int unsigned AddStage  = 4;  // request, transposer, operands, product
  localparam int unsigned CopyStage = 5;

  step_t [CopyStage-1:0] step_q;
  step_t                 step;
  group_t                out_q;
  logic                  copy, out_run_q, out_last;
  logic [RowAw-1:0]      out_row_q;
  logic [AbAw-1:0]       addr_q;

  assign step = '{
      add:   run_q,
      first: group_first,
      last:  run_q && channel_last && now_q.red_last,
      group: '{
          tile_last:  now_q.tile_last,
          pixel_last: now_q.pixel_last,
          ab_addr:    now_q.ab_addr,
          k_sub:      now_q.k_sub
      }
  };
  assign copy     = step_q[CopyStage-1].last;
  assign out_last = out_row_q == out_q.pixel_last;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      step_q    <= '0;
      out_q     <= '0;
      out_run_q <= 1'b0;
      out_row_q <= '0;
      addr_q    <= '0;
    end else begin
      step_q <= {step_q[CopyStage-2:0], step};
      if (copy) begin
        out_q     <= step_q[CopyStage-1].group;
        addr_q    <= step_q[CopyStage-1].group.ab_addr;
        out_run_q <= 1'b1;
        out_row_q <= '0;
      end else if (out_run_q) begin
        out_run_q <= !out_last;
        out_row_q <= out_row_q + 1'b1;
        addr_q    <= addr_q + 1'b1;
      end
    end
  end

  logic [Cols-1:0][AccW-1:0] row;

  cd_psum_grid #(
    .Rows(Rows),
    .Cols(Cols),
    .ActW(ActW),
    .WgtW(WgtW),
    .AccW(AccW)
  ) u_grid (
    .clk_i,
    .act_i   (act_d_q),
    .weight_i(weight_q),
    .add_i   (step_q[AddStage-1].add),
    .first_i (step_q[AddStage-1].first),
    .copy_i  (copy),
    .shift_i (out_run_q),
    .row_o   (row)
  );

  assign acc_valid_o = out_run_q;
  assign acc_first_o = !cmd_q.accumulate;
  assign acc_addr_o  = addr_q;
  logic unused_addr;                      // counted up in addr_q
  assign unused_addr = ^out_q.ab_addr;
  assign acc_data_o  = {(Lanes / Cols) {row}};
  assign done_o      = out_run_q && out_last && out_q.tile_last;

  cd_lane_mask #(
    .Lanes(Lanes),
    .Cols (Cols)
  ) u_mask (
    .sub_i (out_q.k_sub),
    .pair_i(1'b0),
    .mask_o(acc_mask_o)
  );

endmodule
