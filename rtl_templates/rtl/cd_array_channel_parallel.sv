// Channel-parallel adder trees (NVDLA): each cycle one pixel's Rows channels meet Cols kernels.
//
// Loop order: groups of Cols kernels, stripes of Stripe pixels, then the whole reduction of a stripe (channel groups,
// filter rows, filter columns), innermost the pixels of the stripe. Weights stay still for a stripe and are read again
// for the next one; partial sums stay in a local assembly buffer, so that each output is written out once.
module cd_array_channel_parallel
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
  parameter  int unsigned Stripe = 32,  // pixels; at least Rows, a power of two; the last one of a tile is up to twice
  parameter  bit          DualRate = 1'b0,  // two weights of half the width in the place of one
  parameter  bit          TapSkip  = 1'b0,  // filter taps that a block of channels does not use take no cycle
  localparam int unsigned Outs  = DualRate ? 2 * Cols : Cols,
  localparam int unsigned Lanes = Rows > Outs ? Rows : Outs
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

  localparam int unsigned SumW   = ActW + WgtW + $clog2(Rows);
  localparam int unsigned KSubW  = Lanes > Cols ? $clog2(Lanes / Cols) : 1;
  localparam int unsigned IndexW = $clog2(2 * Stripe);

  if (Stripe < Rows || 2 ** $clog2(Stripe) != Stripe) begin : gen_check
    $error("cd_array_channel_parallel: Stripe must be a power of two, Rows or more");
  end

  logic                      busy_q, start, valid, red_first, red_last, tile_last, accumulate, dual;
  logic [IndexW-1:0]         index, index_early;
  logic [AbAw-1:0]           ab_addr;
  logic [KSubW-1:0]          k_sub;
  logic [Outs-1:0][SumW-1:0] sum;
  logic [Outs-1:0][AccW-1:0] total;

  logic             out_valid_q, out_last_q;
  logic [AbAw-1:0]  out_addr_q;
  logic [KSubW-1:0] out_sub_q;

  assign cmd_ready_o = !busy_q;
  assign start       = cmd_valid_i && cmd_ready_o;
  assign done_o      = out_last_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) busy_q <= 1'b0;
    else if (start) busy_q <= 1'b1;
    else if (done_o) busy_q <= 1'b0;
  end

  cd_tree_core #(
    .Rows  (Rows),
    .Cols  (Cols),
    .ActW  (ActW),
    .WgtW  (WgtW),
    .IbAw  (IbAw),
    .WbAw  (WbAw),
    .AbAw  (AbAw),
    .DualRate(DualRate),
    .TapSkip(TapSkip),
    .Stripe(Stripe)
  ) u_core (
    .clk_i,
    .rst_ni,
    .idle_i       (!busy_q),
    .start_i      (start),
    .cmd_i,
    .ib_req_o,
    .ib_addr_o,
    .ib_data_i,
    .wb_req_o,
    .wb_addr_o,
    .wb_data_i,
    .valid_o      (valid),
    .red_first_o  (red_first),
    .red_last_o   (red_last),
    .tile_last_o  (tile_last),
    .accumulate_o (accumulate),
    .index_o      (index),
    .index_early_o(index_early),
    .ab_addr_o    (ab_addr),
    .k_sub_o      (k_sub),
    .dual_o       (dual),
    .sum_o        (sum)
  );

  cd_assembly #(
    .Cols   (Outs),
    .SumW   (SumW),
    .AccW   (AccW),
    .Entries(2 * Stripe)
  ) u_assembly (
    .clk_i,
    .index_early_i(index_early),
    .valid_i      (valid),
    .first_i      (red_first),
    .index_i      (index),
    .sum_i        (sum),
    .total_o      (total)
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      out_valid_q <= 1'b0;
      out_last_q  <= 1'b0;
      out_addr_q  <= '0;
      out_sub_q   <= '0;
    end else begin
      out_valid_q <= valid && red_last;
      out_last_q  <= valid && tile_last;
      out_addr_q  <= ab_addr;
      out_sub_q   <= k_sub;
    end
  end

  assign acc_valid_o = out_valid_q;
  assign acc_first_o = !accumulate;
  assign acc_addr_o  = out_addr_q;
  // The second group of a pair has the upper products, or with single products the same as the first.
  if (DualRate) begin : gen_pairs
    always_comb begin
      for (int unsigned l = 0; l < Lanes; l++) acc_data_o[l] = total[dual ? l % Outs : l % Cols];
    end
  end else begin : gen_single
    assign acc_data_o = {(Lanes / Cols) {total}};
  end

  cd_lane_mask #(
    .Lanes(Lanes),
    .Cols (Cols)
  ) u_mask (
    .sub_i (out_sub_q),
    .pair_i(dual),
    .mask_o(acc_mask_o)
  );

endmodule
