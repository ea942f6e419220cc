// FPGA loop tile (Zhang 2015): a Tm x Tn block of MACs, Tm = Cols output and Tn = Rows input channels, unrolled.
//
// Loop order of that paper: output channel tiles, input channel tiles, filter rows, filter columns, and innermost, at
// an initiation interval of one, all Tr x Tc pixels of the tile. The Tm x Tn weights of a filter tap are read once a
// tile, ahead of their pass; every partial sum goes to the accumulators (read, add, write), Tm a cycle.
module cd_array_loop_tile
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

  localparam int unsigned SumW  = ActW + WgtW + $clog2(Rows);
  localparam int unsigned KSubW = Lanes > Cols ? $clog2(Lanes / Cols) : 1;

  logic                      busy_q, start, red_first, tile_last, accumulate, dual;
  logic [KSubW-1:0]          k_sub;
  logic [Outs-1:0][SumW-1:0] sum;
  logic [Outs-1:0][AccW-1:0] wide;
  logic                      unused_red_last, unused_index, unused_index_early;

  assign cmd_ready_o = !busy_q;
  assign start       = cmd_valid_i && cmd_ready_o;
  assign done_o      = acc_valid_o && tile_last;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) busy_q <= 1'b0;
    else if (start) busy_q <= 1'b1;
    else if (done_o) busy_q <= 1'b0;
  end

  cd_tree_core #(
    .Rows(Rows),
    .Cols(Cols),
    .ActW(ActW),
    .WgtW(WgtW),
    .IbAw(IbAw),
    .WbAw(WbAw),
    .AbAw(AbAw),
    .DualRate(DualRate),
    .TapSkip(TapSkip)
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
    .valid_o      (acc_valid_o),
    .red_first_o  (red_first),
    .red_last_o   (unused_red_last),
    .tile_last_o  (tile_last),
    .accumulate_o (accumulate),
    .index_o      (unused_index),
    .index_early_o(unused_index_early),
    .ab_addr_o    (acc_addr_o),
    .k_sub_o      (k_sub),
    .dual_o       (dual),
    .sum_o        (sum)
  );

  always_comb begin
    for (int unsigned j = 0; j < Outs; j++) wide[j] = AccW'(signed'(sum[j]));
  end

  assign acc_first_o = red_first && !accumulate;
  // The second group of a pair has the upper products, or with single products the same as the first.
  if (DualRate) begin : gen_pairs
    always_comb begin
      for (int unsigned l = 0; l < Lanes; l++) acc_data_o[l] = wide[dual ? l % Outs : l % Cols];
    end
  end else begin : gen_single
    assign acc_data_o = {(Lanes / Cols) {wide}};
  end

  cd_lane_mask #(
    .Lanes(Lanes),
    .Cols (Cols)
  ) u_mask (
    .sub_i (k_sub),
    .pair_i(dual),
    .mask_o(acc_mask_o)
  );

endmodule
