// The compute unit: hands each tile to the PE array (chosen by ArrayKind), the vector unit or the non-linear unit.
module cd_compute
  import cd_types_pkg::*;
#(
  parameter int unsigned ArrayKind = 0,   // the order of accel_models' ArrayKind
  parameter int unsigned Rows = 16,
  parameter int unsigned Cols = 16,
  parameter int unsigned ActW = 8,
  parameter int unsigned WgtW = 8,
  parameter int unsigned AccW = 32,
  parameter int unsigned IbAw = 12,
  parameter int unsigned WbAw = 12,
  parameter int unsigned AbAw = 10,
  parameter int unsigned NonlinearLanes = 0,  // 0: no such unit
  parameter int unsigned VectorTaps = 1,
  parameter int unsigned AccStages = 0,       // registers between the engines and the accumulators
  parameter int unsigned Packing = 1,         // most words of weights in a stored word
  parameter bit          DualRate = 1'b0,     // two products with weights of half the width in the place of one
  parameter bit          TapSkip = 1'b0,      // filter taps that a block of channels does not use take no cycle
  localparam int unsigned Outs = DualRate ? 2 * Cols : Cols,
  localparam int unsigned N = Rows > Outs ? Rows : Outs
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,

  input  logic                 cmd_valid_i,
  input  compute_t             cmd_i,
  input  logic [15:0]          signal_i,
  input  logic                 tokens_ok_i,
  output logic                 start_o,
  output logic [15:0]          signal_o,
  output logic                 busy_o,

  output logic                 ib_re_o,
  output logic                 ib_pair_o,     // the word behind the addressed one, too (row stationary)
  output logic [IbAw-1:0]      ib_addr_o,
  input  logic [N*ActW-1:0]    ib_data_i,
  input  logic [N*ActW-1:0]    ib_next_i,
  output logic                 wb_re_o,
  output logic [WbAw-1:0]      wb_addr_o,
  input  logic [Cols*WgtW-1:0] wb_data_i,
  output logic                 acc_valid_o,
  output logic                 acc_first_o,
  output logic                 acc_max_o,
  output logic [AbAw-1:0]      acc_addr_o,
  output logic [N-1:0]         acc_mask_o,
  output logic [N*AccW-1:0]    acc_data_o
);

  localparam int unsigned WwAw = WbAw + $clog2(Packing);  // words of weights
  localparam logic [2:0] Settle = 3'd5;  // cycles until the last sum is in the accumulators and the walker idle

  logic        busy_q, vector_q, nonlinear_q, max_q;
  logic [2:0]  settle_q;
  logic [1:0]  narrow_q;
  logic        dual_q;
  logic [15:0] signal_q;
  logic        use_vector, use_nonlinear, array_ready, vector_ready, nonlinear_ready;
  logic        array_done, vector_done, nonlinear_done, last_write;

  assign use_nonlinear = cmd_i.op >= CompSoftmax;
  assign use_vector    = cmd_i.op != CompArray && !use_nonlinear;
  // The engines are free when the unit is.
  logic unused_ready;
  assign unused_ready = ^{nonlinear_ready, vector_ready, array_ready};
  assign start_o    = cmd_valid_i && tokens_ok_i && !busy_q;
  assign busy_o     = busy_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q   <= 1'b0;
      vector_q <= 1'b0;
      nonlinear_q <= 1'b0;
      max_q    <= 1'b0;
      settle_q <= '0;
      narrow_q <= '0;
      dual_q   <= 1'b0;
      signal_q <= '0;
      signal_o <= '0;
    end else begin
      signal_o <= '0;
      if (start_o) begin
        busy_q   <= 1'b1;
        vector_q <= use_vector;
        nonlinear_q <= use_nonlinear;
        max_q    <= cmd_i.op == CompMax;
        narrow_q <= cmd_i.narrow;
        dual_q   <= cmd_i.tile.dual;
        signal_q <= signal_i;
      end
      if (last_write) settle_q <= Settle;
      else if (settle_q != '0) settle_q <= settle_q - 3'd1;
      if (settle_q == 3'd1) begin
        busy_q   <= 1'b0;
        signal_o <= signal_q;
      end
    end
  end

  logic              a_ib_pair, a_ib_req, a_wb_req, a_valid, a_first;
  logic [IbAw-1:0]   a_ib_addr, v_ib_addr;
  logic [WwAw-1:0]   a_wb_addr, v_wb_addr, ww_addr;
  logic [Cols*WgtW-1:0] ww_data;          // weights as wide as the engines take them
  logic [AbAw-1:0]   a_addr, v_addr;
  logic [N-1:0]      a_mask;
  logic [N*AccW-1:0] a_data, v_data;
  logic              v_ib_req, v_wb_req, v_valid, v_first;

  `define CD_ARRAY_PORTS \
    .clk_i, .rst_ni, \
    .cmd_valid_i(start_o && cmd_i.op == CompArray), .cmd_ready_o(array_ready), .cmd_i(cmd_i.tile), .done_o(array_done), \
    .ib_req_o(a_ib_req), .ib_addr_o(a_ib_addr), .ib_data_i, \
    .wb_req_o(a_wb_req), .wb_addr_o(a_wb_addr), .wb_data_i(ww_data), \
    .acc_valid_o(a_valid), .acc_first_o(a_first), .acc_addr_o(a_addr), .acc_mask_o(a_mask), .acc_data_o(a_data)
  `define CD_ARRAY_PARAMS \
    .Rows(Rows), .Cols(Cols), .ActW(ActW), .WgtW(WgtW), .AccW(AccW), .IbAw(IbAw), .WbAw(WwAw), .AbAw(AbAw)

  if (ArrayKind == 0) begin : gen_weight_stationary
    cd_array_weight_stationary #(`CD_ARRAY_PARAMS) u_array (`CD_ARRAY_PORTS);
  end else if (ArrayKind == 1) begin : gen_output_stationary
    cd_array_output_stationary #(`CD_ARRAY_PARAMS) u_array (`CD_ARRAY_PORTS);
  end else if (ArrayKind == 2) begin : gen_row_stationary
    cd_array_row_stationary #(`CD_ARRAY_PARAMS) u_array (`CD_ARRAY_PORTS, .ib_pair_o(a_ib_pair), .ib_next_i);
  end else if (ArrayKind == 3) begin : gen_channel_parallel
    cd_array_channel_parallel #(`CD_ARRAY_PARAMS, .DualRate(DualRate), .TapSkip(TapSkip)) u_array (`CD_ARRAY_PORTS);
  end else if (ArrayKind == 4) begin : gen_loop_tile
    cd_array_loop_tile #(`CD_ARRAY_PARAMS, .DualRate(DualRate), .TapSkip(TapSkip)) u_array (`CD_ARRAY_PORTS);
  end else begin : gen_unknown
    $error("cd_compute: unknown ArrayKind");
  end

  if ((DualRate || TapSkip) && ArrayKind != 3 && ArrayKind != 4) begin : gen_no_trees
    $error("cd_compute: DualRate and TapSkip need an array of adder trees");
  end

  if (ArrayKind != 2) begin : gen_no_pair
    assign a_ib_pair = 1'b0;
    logic unused_next;
    assign unused_next = ^ib_next_i;
  end

  `undef CD_ARRAY_PORTS
  `undef CD_ARRAY_PARAMS

  cd_vector #(
    .Rows(Rows), .Cols(Cols), .ActW(ActW), .WgtW(WgtW), .AccW(AccW), .IbAw(IbAw), .WbAw(WwAw), .AbAw(AbAw),
    .Taps(VectorTaps), .N(N)
  ) u_vector (
    .clk_i,
    .rst_ni,
    .cmd_valid_i(start_o && use_vector),
    .cmd_ready_o(vector_ready),
    .cmd_i,
    .done_o     (vector_done),
    .ib_req_o   (v_ib_req),
    .ib_addr_o  (v_ib_addr),
    .ib_data_i,
    .wb_req_o   (v_wb_req),
    .wb_addr_o  (v_wb_addr),
    .wb_data_i  (ww_data),
    .acc_valid_o(v_valid),
    .acc_first_o(v_first),
    .acc_addr_o (v_addr),
    .acc_data_o (v_data)
  );

  logic              n_ib_req, n_wb_req, n_valid;
  logic [WwAw-1:0]   n_wb_addr;
  logic [IbAw-1:0]   n_ib_addr;
  logic [AbAw-1:0]   n_addr;
  logic [N*AccW-1:0] n_data;

  if (NonlinearLanes > 0) begin : gen_nonlinear
    cd_nonlinear #(
      .N(N), .Lanes(NonlinearLanes), .ActW(ActW), .AccW(AccW), .IbAw(IbAw), .WbAw(WwAw), .WbW(Cols * WgtW), .AbAw(AbAw)
    ) u_nonlinear (
      .clk_i,
      .rst_ni,
      .cmd_valid_i(start_o && use_nonlinear),
      .cmd_ready_o(nonlinear_ready),
      .cmd_i,
      .done_o     (nonlinear_done),
      .ib_req_o   (n_ib_req),
      .ib_addr_o  (n_ib_addr),
      .ib_data_i,
      .wb_req_o   (n_wb_req),
      .wb_addr_o  (n_wb_addr),
      .wb_data_i  (ww_data),
      .acc_valid_o(n_valid),
      .acc_addr_o (n_addr),
      .acc_data_o (n_data)
    );
  end else begin : gen_no_nonlinear
    assign nonlinear_ready = 1'b0;
    assign nonlinear_done  = 1'b0;
    assign n_ib_req        = 1'b0;
    assign n_ib_addr       = '0;
    assign n_wb_req        = 1'b0;
    assign n_wb_addr       = '0;
    assign n_valid         = 1'b0;
    assign n_addr          = '0;
    assign n_data          = '0;
  end

  assign ib_re_o     = nonlinear_q ? n_ib_req : vector_q ? v_ib_req : a_ib_req;
  assign ib_pair_o   = !nonlinear_q && !vector_q && a_ib_pair;
  assign ib_addr_o   = nonlinear_q ? n_ib_addr : vector_q ? v_ib_addr : a_ib_addr;
  assign wb_re_o     = nonlinear_q ? n_wb_req : vector_q ? v_wb_req : a_wb_req;
  assign ww_addr     = nonlinear_q ? n_wb_addr : vector_q ? v_wb_addr : a_wb_addr;

  cd_weight_unpack #(
    .Cols    (Cols),
    .WgtW    (WgtW),
    .Packing (Packing),
    .DualRate(DualRate),
    .WbAw    (WbAw)
  ) u_unpack (
    .clk_i,
    .narrow_i(narrow_q),
    .dual_i  (dual_q),
    .addr_i  (ww_addr),
    .addr_o  (wb_addr_o),
    .data_i  (wb_data_i),
    .data_o  (ww_data)
  );

  // ---- To the accumulators ----
  logic              valid, first, done;
  logic [AbAw-1:0]   addr;
  logic [N-1:0]      mask;
  logic [N*AccW-1:0] data;

  assign done  = array_done || vector_done || nonlinear_done;
  assign valid = nonlinear_q ? n_valid : vector_q ? v_valid : a_valid;
  assign first = nonlinear_q || (vector_q ? v_first : a_first);
  assign addr  = nonlinear_q ? n_addr : vector_q ? v_addr : a_addr;
  assign mask  = nonlinear_q || vector_q ? {N{1'b1}} : a_mask;
  assign data  = nonlinear_q ? n_data : vector_q ? v_data : a_data;

  cd_delay #(
    .Width (1 + AbAw + N + N * AccW),
    .Stages(AccStages)
  ) u_write (
    .clk_i,
    .rst_ni,
    .valid_i(valid),
    .data_i ({first, addr, mask, data}),
    .valid_o(acc_valid_o),
    .data_o ({acc_first_o, acc_addr_o, acc_mask_o, acc_data_o})
  );
  logic unused_done;
  cd_delay #(
    .Width (1),
    .Stages(AccStages)
  ) u_done (
    .clk_i,
    .rst_ni,
    .valid_i(done),
    .data_i (1'b0),
    .valid_o(last_write),
    .data_o (unused_done)
  );
  assign acc_max_o = max_q;                 // holds until the unit is free

endmodule
