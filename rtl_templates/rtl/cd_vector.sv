// The vector unit: N lanes, one channel each. Depthwise convolution, window sums and window maxima, in the
// passes of cd_walker: one filter tap a pass, one pixel of N channels a cycle.
module cd_vector
  import cd_types_pkg::*;
#(
  parameter int unsigned Rows = 16,
  parameter int unsigned Cols = 16,
  parameter int unsigned ActW = 8,
  parameter int unsigned WgtW = 8,
  parameter int unsigned AccW = 32,
  parameter int unsigned IbAw = 12,
  parameter int unsigned WbAw = 12,
  parameter int unsigned AbAw = 10,
  localparam int unsigned N = Rows > Cols ? Rows : Cols
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,
  input  logic                 cmd_valid_i,
  output logic                 cmd_ready_o,
  input  compute_t             cmd_i,
  output logic                 done_o,
  output logic                 ib_req_o,
  output logic [IbAw-1:0]      ib_addr_o,
  input  logic [N*ActW-1:0]    ib_data_i,
  output logic                 wb_req_o,
  output logic [WbAw-1:0]      wb_addr_o,
  input  logic [Cols*WgtW-1:0] wb_data_i,
  output logic                 acc_valid_o,
  output logic                 acc_first_o,
  output logic                 acc_max_o,    // keep the larger instead of adding
  output logic [AbAw-1:0]      acc_addr_o,
  output logic [N*AccW-1:0]    acc_data_o
);

  localparam int unsigned Words   = N / Cols;   // weight words of a tap
  localparam int unsigned LgN     = $clog2(N);
  localparam int unsigned Latency = 3;          // from a pixel's request to its accumulator write

  compute_t    cmd_q;
  logic        busy_q, started_q, walker_busy;
  logic        x_valid, x_inside, x_start, x_first, x_last, w_req;
  logic [19:0] x_addr, w_addr, acc_addr;
  logic [7:0]  x_sub, acc_sub, w_row;
  logic [15:0] blocks;

  assign cmd_ready_o = !busy_q && !walker_busy;
  assign blocks      = 16'((17'(cmd_q.tile.k) + 17'(N - 1)) >> LgN);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q    <= 1'b0;
      started_q <= 1'b0;
    end else begin
      if (cmd_valid_i && cmd_ready_o) busy_q <= 1'b1;
      else if (done_o) busy_q <= 1'b0;
      started_q <= busy_q && !done_o;
    end
  end
  always_ff @(posedge clk_i) begin
    if (cmd_valid_i && cmd_ready_o) cmd_q <= cmd_i;
  end

  cd_walker u_walker (
    .clk_i,
    .rst_ni,
    .start_i     (busy_q && !started_q),
    .busy_o      (walker_busy),
    .cmd_i       (cmd_q.tile),
    .out_blocks_i(blocks),
    .in_blocks_i (16'd1),
    .depthwise_i (1'b1),
    .w_words_i   (cmd_q.op == CompDepthwise ? 8'(Words) : 8'd0),
    .w_req_o     (w_req),
    .w_addr_o    (w_addr),
    .w_row_o     (w_row),
    .x_valid_o   (x_valid),
    .x_inside_o  (x_inside),
    .x_addr_o    (x_addr),
    .x_sub_o     (x_sub),
    .x_start_o   (x_start),
    .x_first_o   (x_first),
    .x_last_o    (x_last),
    .acc_addr_o  (acc_addr),
    .acc_sub_o   (acc_sub)
  );

  assign ib_req_o  = x_inside;
  assign ib_addr_o = IbAw'(x_addr);
  assign wb_req_o  = w_req;
  assign wb_addr_o = WbAw'(w_addr);
  logic unused_signals;
  assign unused_signals = ^{x_addr, w_addr, acc_addr, acc_sub, x_sub, w_row, cmd_q};

  // ---- Weights: as in the systolic array, the next tap's wait in shadow registers ----
  logic signed [WgtW-1:0] shadow_q [N];
  logic signed [WgtW-1:0] weight_q [N];
  logic                   shadow_we_q, swap_q;
  logic [7:0]             shadow_row_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      shadow_we_q <= 1'b0;
      swap_q      <= 1'b0;
    end else begin
      shadow_we_q <= w_req;
      swap_q      <= x_start;
    end
  end

  always_ff @(posedge clk_i) begin
    shadow_row_q <= w_row;
    for (int unsigned j = 0; j < N; j++) begin
      if (shadow_we_q && shadow_row_q == 8'(j / Cols)) shadow_q[j] <= wb_data_i[(j%Cols)*WgtW +: WgtW];
      if (swap_q) weight_q[j] <= shadow_q[j];
    end
  end

  // ---- Lanes ----
  logic                   inside_q, inside_q2;
  logic signed [ActW-1:0] x_q [N];
  logic signed [AccW-1:0] y_q [N];

  always_ff @(posedge clk_i) begin
    inside_q  <= x_inside;
    inside_q2 <= inside_q;
    for (int unsigned j = 0; j < N; j++) begin
      x_q[j] <= inside_q ? ib_data_i[j*ActW +: ActW] : '0;
      unique case (cmd_q.op)
        CompDepthwise: y_q[j] <= AccW'(x_q[j]) * AccW'(weight_q[j]);
        CompMax:       y_q[j] <= inside_q2 ? AccW'(x_q[j]) : {1'b1, {(AccW - 1){1'b0}}};
        default:       y_q[j] <= AccW'(x_q[j]);
      endcase
    end
  end

  // ---- Accumulator writes ----
  logic [Latency-1:0] valid_q, first_q, last_q;
  logic [AbAw-1:0]    addr_q [Latency];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Latency-2:0], x_valid};
  end
  always_ff @(posedge clk_i) begin
    first_q   <= {first_q[Latency-2:0], x_first};
    last_q    <= {last_q[Latency-2:0], x_last};
    addr_q[0] <= AbAw'(acc_addr);
    for (int unsigned i = 1; i < Latency; i++) addr_q[i] <= addr_q[i-1];
  end

  assign acc_valid_o = valid_q[Latency-1];
  assign acc_first_o = first_q[Latency-1];
  assign acc_max_o   = cmd_q.op == CompMax;
  assign acc_addr_o  = addr_q[Latency-1];
  assign done_o      = acc_valid_o && last_q[Latency-1];

  always_comb begin
    for (int unsigned j = 0; j < N; j++) acc_data_o[j*AccW +: AccW] = y_q[j];
  end

endmodule
