// One row of PEs of the row-stationary array: what it works on, its filter spad, and a PE for each column.
//
// A word is on the bus (word_i) Request cycles before its data. The data is registered, and written to the windows of
// the PEs that it is meant for in the cycle after that: slot_i and fold_mask_i come then. A product follows its operands'
// selection (read_slot_i, tap_i, ...) by two cycles.
module cd_row_line #(
  parameter  int unsigned Lanes  = 16,
  parameter  int unsigned Cols   = 16,
  parameter  int unsigned ActW   = 8,
  parameter  int unsigned WgtW   = 8,
  parameter  int unsigned Taps   = 4,
  parameter  int unsigned Slots  = 8,
  parameter  int unsigned Request = 3,   // 2 or more
  localparam int unsigned TapW   = $clog2(Taps),
  localparam int unsigned SlotW  = $clog2(Slots),
  localparam int unsigned ColW   = $clog2(Cols),
  localparam int unsigned LaneW  = $clog2(Lanes),
  localparam int unsigned CountW = $clog2(Lanes + 1) + 1
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,
  // Configuration: the row's first pair with load_i; later, the distance between passes.
  input  logic                            load_i,
  input  logic [CountW-1:0]               lane_i,
  input  logic [7:0]                      r_i,
  input  logic [15:0]                     offset_i,
  input  logic                            restart_i,
  input  logic                            step_i,
  input  logic signed [8:0]               wrap_r_i,
  input  logic [15:0]                     wrap_offset_i,
  output logic [CountW-1:0]               next_lane_o,
  // Input words.
  input  logic                            word_i,
  input  logic                            row_first_i,
  input  logic [7:0]                      tag_more_i,
  input  logic                            data_valid_i,  // data_i is not padding
  input  logic                            next_valid_i,  // next_i is not padding
  input  logic [Lanes-1:0][ActW-1:0]      data_i,
  input  logic [Lanes-1:0][ActW-1:0]      next_i,        // the word behind it
  input  logic                            pair_i,        // both go to the windows, as slot_i
  input  logic [SlotW-1:0]                slot_i,
  input  logic [ColW-1:0]                 fold_mask_i,
  // Weights of the next pass.
  input  logic                            wgt_we_i,
  input  logic                            wgt_bank_i,
  input  logic [TapW-1:0]                 wgt_tap_i,
  input  logic [Cols-1:0][WgtW-1:0]       wgt_data_i,
  // Operands.
  input  logic                            bank_i,
  input  logic [TapW-1:0]                 tap_i,
  input  logic [SlotW-1:0]                read_slot_i,
  input  logic [Cols/4-1:0][ColW-1:0]     channel_i,
  output logic [Cols-1:0][ActW+WgtW-1:0]  product_o
);

  logic                        match;
  logic [ColW-1:0]             match_col;
  logic [LaneW-1:0]            lane;
  logic [Request-1:0][LaneW-1:0] lane_q;
  logic [Request:0]            match_q;
  logic [Request:0][ColW-1:0]  col_q;
  logic [ActW-1:0]             act_q, act_next_q;
  logic [Cols/4-1:0][WgtW-1:0] weight;

  cd_row_config #(
    .Lanes(Lanes),
    .Cols (Cols)
  ) u_config (
    .clk_i,
    .rst_ni,
    .load_i,
    .load_lane_i   (LaneW'(lane_i)),
    .load_r_i      (r_i),
    .load_offset_i (offset_i),
    .restart_i,
    .step_i,
    .delta_lane_i  (lane_i),
    .delta_r_i     (r_i),
    .delta_offset_i(offset_i),
    .wrap_r_i,
    .wrap_offset_i,
    .lane_o        (lane),
    .next_lane_o,
    .word_i,
    .row_first_i,
    .tag_more_i,
    .match_o       (match),
    .col_o         (match_col)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      lane_q  <= '0;
      match_q <= '0;
      col_q   <= '0;
    end else begin
      lane_q  <= {lane_q[Request-2:0], lane};
      match_q <= {match_q[Request-1:0], match};
      col_q   <= {col_q[Request-1:0], match_col};
    end
  end

  always_ff @(posedge clk_i) begin
    act_q      <= data_valid_i ? data_i[lane_q[Request-1]] : '0;
    act_next_q <= next_valid_i ? next_i[lane_q[Request-1]] : '0;
  end

  cd_filter_spad #(
    .Cols(Cols),
    .WgtW(WgtW),
    .Taps(Taps)
  ) u_spad (
    .clk_i,
    .we_i     (wgt_we_i),
    .we_bank_i(wgt_bank_i),
    .we_tap_i (wgt_tap_i),
    .word_i   (wgt_data_i),
    .bank_i,
    .tap_i,
    .channel_i,
    .weight_o (weight)
  );

  // The two words by the parity of their slots.
  logic [1:0]            bank_we;
  logic [1:0][SlotW-2:0] bank_slot;
  logic [1:0][ActW-1:0]  bank_act;
  assign bank_we   = slot_i[0] ? {1'b1, pair_i} : {pair_i, 1'b1};
  assign bank_slot = {slot_i[SlotW-1:1], (SlotW-1)'(slot_i[SlotW-1:1] + (SlotW-1)'(slot_i[0]))};
  assign bank_act  = slot_i[0] ? {act_q, act_next_q} : {act_next_q, act_q};

  for (genvar j = 0; j < int'(Cols); j++) begin : gen_pe
    cd_row_pe #(
      .ActW (ActW),
      .WgtW (WgtW),
      .Slots(Slots)
    ) u_pe (
      .clk_i,
      .we_i     (match_q[Request] && col_q[Request] == (ColW'(j) & fold_mask_i) ? bank_we : 2'b00),
      .slot_i   (bank_slot),
      .act_i    (bank_act),
      .read_slot_i,
      .weight_i (weight[j/4]),
      .product_o(product_o[j])
    );
  end

endmodule
