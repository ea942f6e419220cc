// Times the steps of the row-stationary array: issues a step's operations, output channel by output channel and tap by
// tap, and ends it when they are out, the next step's words are in, and the former step's sums have left.
module cd_row_issue #(
  parameter  int unsigned Lanes  = 16,
  parameter  int unsigned Cols   = 16,
  parameter  int unsigned Taps   = 4,    // filter columns of a pass
  parameter  int unsigned Slots  = 8,    // of a window ring
  parameter  int unsigned AbAw   = 12,
  parameter  int unsigned Stages = 8,    // from an operation's issue to the foot of the column
  localparam int unsigned TapW   = $clog2(Taps),
  localparam int unsigned SlotW  = $clog2(Slots),
  localparam int unsigned ColW   = $clog2(Cols),
  localparam int unsigned KSubW  = Lanes > Cols ? $clog2(Lanes / Cols) : 1
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,
  input  logic                        start_i,           // a tile begins
  // The step that is read, see cd_row_walker.
  input  logic                        valid_i,
  input  logic                        read_done_i,
  input  logic                        pass_first_i,
  input  logic                        red_first_i,
  input  logic                        tile_last_i,
  input  logic [TapW-1:0]             tap_last_i,
  input  logic [ColW-1:0]             channel_last_i,
  input  logic [ColW-1:0]             op_last_channel_i,
  input  logic [ColW-1:0]             row_last_i,
  input  logic [ColW-1:0]             fold_mask_i,
  input  logic [KSubW-1:0]            k_sub_i,
  input  logic [SlotW-1:0]            base_i,
  input  logic [AbAw-1:0]             addr_i,
  // Weights.
  input  logic                        load_valid_i,
  input  logic                        loading_i,
  output logic                        load_o,            // read those of the next pass
  output logic                        load_first_o,      // ... which is the tile's first
  output logic                        step_o,            // the step that is read becomes the one that computes
  // Operands of all PEs.
  output logic                        bank_o,            // of the filter spads
  output logic [TapW-1:0]             tap_o,
  output logic [SlotW-1:0]            slot_o,
  output logic [Cols/4-1:0][ColW-1:0] channel_o,         // of each quad of columns: that of its fold
  // The sum at the foot of the columns.
  output logic                        sum_valid_o,
  output logic                        sum_first_o,       // first tap
  output logic                        sum_last_o,        // last tap
  output logic                        sum_half_o,        // of the collection registers
  output logic [ColW-1:0]             sum_channel_o,
  output logic [ColW-1:0]             sum_fold_mask_o,
  // The step that ends with step_o: its sums are to be written.
  output logic                        out_valid_o,
  output logic                        out_half_o,
  output logic                        out_tile_last_o,
  output logic                        out_red_first_o,
  output logic [ColW-1:0]             out_channel_last_o,
  output logic [ColW-1:0]             out_row_last_o,
  output logic [ColW-1:0]             out_fold_mask_o,
  output logic [KSubW-1:0]            out_k_sub_o,
  output logic [AbAw-1:0]             out_addr_o
);

  localparam int unsigned ReadStage = 4;                 // from an operation's issue to its window's read

  // What a step's sums need to be written.
  typedef struct packed {
    logic             tile_last, red_first;
    logic [ColW-1:0]  channel_last, row_last, fold_mask;
    logic [KSubW-1:0] k_sub;
  } out_t;

  // One operation of all PEs: what they read, and what becomes of the sum.
  typedef struct packed {
    logic             bank;                // of the filter spads
    logic [SlotW-1:0] slot;
    logic [TapW-1:0]  tap;
  } operand_t;

  typedef struct packed {
    logic            valid, first, last;  // first and last tap
    logic            half;                // of the collection registers
    logic [ColW-1:0] channel, fold_mask;
  } sum_t;

  logic             first_read_q;  // the tile's first step is read; none computes
  logic             run_q;         // a step computes
  logic             op_done_q;     // ... and has issued all its operations
  logic             final_q;       // ... the last of them
  logic             pass_begin_q, half_q, bank_q;
  logic [TapW-1:0]  tap_q, tap_last_q;
  logic [ColW-1:0]  channel_q, op_last_q, min_more_q, min_more_d;
  logic             min_done_q;    // min_more_q == 0
  logic [TapW-1:0]  tap_d;         // of the next operation
  logic [ColW-1:0]  channel_d;
  logic [SlotW-1:0] base_q;
  out_t             out_q;
  logic [AbAw-1:0]  out_addr_q;

  assign step_o     = (valid_i || run_q) && read_done_i && (!run_q || op_done_q || final_q) && min_done_q
                      && !(valid_i && pass_first_i && loading_i);
  assign tap_d      = tap_q == tap_last_q ? '0 : tap_q + 1'b1;
  assign channel_d  = tap_q == tap_last_q ? channel_q + 1'b1 : channel_q;
  always_comb begin
    min_more_d = min_done_q ? '0 : min_more_q - 1'b1;
    // The former step's rows leave, one a cycle, before the next ones follow.
    if (start_i) min_more_d = ColW'(3);
    else if (step_o) min_more_d = fold_mask_i | (run_q ? out_q.fold_mask : '0);
  end
  // Weights are read from the first cycle of a pass, for the pass after it; before the first pass, for that.
  assign load_o     = first_read_q || (pass_begin_q && load_valid_i);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      first_read_q <= 1'b0;
      run_q        <= 1'b0;
      op_done_q    <= 1'b0;
      pass_begin_q <= 1'b0;
      half_q       <= 1'b0;
      bank_q       <= 1'b1;
      tap_q        <= '0;
      tap_last_q   <= '0;
      channel_q    <= '0;
      op_last_q    <= '0;
      min_more_q   <= '0;
      min_done_q   <= 1'b1;
      final_q      <= 1'b0;
      base_q       <= '0;
      out_addr_q   <= '0;
      out_q        <= '0;
    end else begin
      first_read_q <= start_i;
      pass_begin_q <= step_o && valid_i && pass_first_i;
      min_more_q   <= min_more_d;
      min_done_q   <= min_more_d == '0;
      if (step_o) begin
        run_q      <= valid_i;
        op_done_q  <= 1'b0;
        final_q    <= tap_last_i == '0 && op_last_channel_i == '0;
        half_q     <= !half_q;
        bank_q     <= bank_q ^ (valid_i && pass_first_i);
        tap_q      <= '0;
        tap_last_q <= tap_last_i;
        channel_q  <= '0;
        op_last_q  <= op_last_channel_i;
        base_q     <= base_i;
        out_addr_q <= addr_i;
        out_q      <= '{
            tile_last:    tile_last_i,
            red_first:    red_first_i,
            channel_last: channel_last_i,
            row_last:     row_last_i,
            fold_mask:    fold_mask_i,
            k_sub:        k_sub_i
        };
      end else if (run_q && !op_done_q) begin
        op_done_q <= final_q;
        final_q   <= tap_d == tap_last_q && channel_d == op_last_q;
        tap_q     <= tap_d;
        channel_q <= channel_d;
      end
    end
  end

  operand_t operand, operand_q[ReadStage], operand_now;
  sum_t     sum, sum_q[Stages], sum_now;

  assign operand = '{bank: bank_q, slot: base_q + SlotW'(tap_q), tap: tap_q};
  assign sum     = '{
      valid:     run_q && !op_done_q,
      first:     tap_q == '0,
      last:      tap_q == tap_last_q,
      half:      half_q,
      channel:   channel_q,
      fold_mask: out_q.fold_mask
  };

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned n = 0; n < ReadStage; n++) operand_q[n] <= '0;
      for (int unsigned n = 0; n < Stages; n++) sum_q[n] <= '0;
    end else begin
      operand_q[0] <= operand;
      sum_q[0]     <= sum;
      for (int unsigned n = 1; n < ReadStage; n++) operand_q[n] <= operand_q[n-1];
      for (int unsigned n = 1; n < Stages; n++) sum_q[n] <= sum_q[n-1];
    end
  end

  assign operand_now = operand_q[ReadStage-1];
  assign sum_now     = sum_q[Stages-1];

  // The channel of each quad of columns: that of its fold.
  always_comb begin
    for (int unsigned g = 0; g < Cols / 4; g++) begin
      channel_o[g] = (ColW'(4 * g) & ~sum_q[ReadStage-1].fold_mask) | sum_q[ReadStage-1].channel;
    end
  end

  assign load_first_o       = first_read_q;
  assign bank_o             = operand_now.bank;
  assign tap_o              = operand_now.tap;
  assign slot_o             = operand_now.slot;
  assign sum_valid_o        = sum_now.valid;
  assign sum_first_o        = sum_now.first;
  assign sum_last_o         = sum_now.last;
  assign sum_half_o         = sum_now.half;
  assign sum_channel_o      = sum_now.channel;
  assign sum_fold_mask_o    = sum_now.fold_mask;
  assign out_valid_o        = step_o && run_q;
  assign out_half_o         = half_q;
  assign out_tile_last_o    = out_q.tile_last;
  assign out_red_first_o    = out_q.red_first;
  assign out_channel_last_o = out_q.channel_last;
  assign out_row_last_o     = out_q.row_last;
  assign out_fold_mask_o    = out_q.fold_mask;
  assign out_k_sub_o        = out_q.k_sub;
  assign out_addr_o         = out_addr_q;

endmodule
