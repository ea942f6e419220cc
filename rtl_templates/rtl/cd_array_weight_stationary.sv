// Weight-stationary array (after the TPU): each PE keeps a weight; partial sums move down the columns, from PE to PE.
//
// It is systolic in that direction alone: a row's activation is broadcast to its columns, and each row works one cycle
// after the row above, so that sums leave the last row for all columns in the same cycle. The next pass's weights settle in shadow registers, a row a
// cycle, while the current pass streams; they take over in a wave that follows the first pixel of the pass.
module cd_array_weight_stationary
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
  input  tile_cmd_t            cmd_i,
  output logic                 done_o,
  output logic                 ib_req_o,
  output logic [IbAw-1:0]      ib_addr_o,
  input  logic [N*ActW-1:0]    ib_data_i,
  output logic                 wb_req_o,
  output logic [WbAw-1:0]      wb_addr_o,
  input  logic [Cols*WgtW-1:0] wb_data_i,
  output logic                 acc_valid_o,
  output logic                 acc_first_o,
  output logic [AbAw-1:0]      acc_addr_o,
  output logic [N-1:0]         acc_mask_o,
  output logic [N*AccW-1:0]    acc_data_o
);

  localparam int unsigned LgRows   = $clog2(Rows);
  localparam int unsigned LgCols   = $clog2(Cols);
  localparam int unsigned LgInSub  = $clog2(N / Rows);
  localparam int unsigned LgOutSub = $clog2(N / Cols);
  localparam int unsigned SumW     = ActW + WgtW + LgRows;
  localparam int unsigned Latency  = Rows + 4;      // from a pixel's request to its accumulator write

  // ---- Control ----
  tile_cmd_t   cmd_q;
  logic        busy_q, walker_busy;
  logic        start, started_q;

  // What the walk says, a register behind it: sums and comparisons of addresses do not reach the buffers in their cycle.
  typedef struct packed {
    logic        x_valid, x_inside, x_start, x_first, x_last, w_req;
    logic [19:0] x_addr, acc_addr;
    logic [21:0] w_addr;
    logic [7:0]  x_sub, acc_sub, w_row;
  } walk_t;
  walk_t walk, walk_q, walk_q2;          // walk_q2: whose words are inside their memories

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      walk_q  <= '0;
      walk_q2 <= '0;
    end else begin
      walk_q  <= walk;
      walk_q2 <= walk_q;
    end
  end

  assign cmd_ready_o = !busy_q;
  assign start       = busy_q && !started_q;

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
  // Taken in every idle cycle: the start, which is known late, need not reach so many registers.
  always_ff @(posedge clk_i) begin
    if (!busy_q) cmd_q <= cmd_i;
  end

  cd_walker #(
    .LgOutSub(LgOutSub),
    .LgInSub (LgInSub)
  ) u_walker (
    .clk_i,
    .rst_ni,
    .start_i     (start),
    .busy_o      (walker_busy),
    .cmd_i       (cmd_q),
    .out_blocks_i(16'((17'(cmd_q.k) + 17'(Cols - 1)) >> LgCols)),
    .in_blocks_i (16'((17'(cmd_q.c) + 17'(Rows - 1)) >> LgRows)),
    .w_words_i   (8'(Rows)),
    .w_req_o     (walk.w_req),
    .w_addr_o    (walk.w_addr),
    .w_row_o     (walk.w_row),
    .x_valid_o   (walk.x_valid),
    .x_inside_o  (walk.x_inside),
    .x_addr_o    (walk.x_addr),
    .x_sub_o     (walk.x_sub),
    .x_start_o   (walk.x_start),
    .x_first_o   (walk.x_first),
    .x_last_o    (walk.x_last),
    .acc_addr_o  (walk.acc_addr),
    .acc_sub_o   (walk.acc_sub)
  );

  assign ib_req_o  = walk_q.x_inside;
  assign ib_addr_o = IbAw'(walk_q.x_addr);
  assign wb_req_o  = walk_q.w_req;
  assign wb_addr_o = WbAw'(walk_q.w_addr);

  // ---- Weights ----
  logic                 shadow_we_q;
  logic [LgRows-1:0]    shadow_row_q;
  logic signed [WgtW-1:0] shadow_q [Rows][Cols];
  logic signed [WgtW-1:0] weight_q [Rows][Cols];
  logic [Rows:0]        swap_q;       // the wave: bit i is row i's turn

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      shadow_we_q <= 1'b0;
      swap_q      <= '0;
    end else begin
      shadow_we_q <= walk_q2.w_req;
      swap_q      <= {swap_q[Rows-1:0], walk_q2.x_start};
    end
  end
  logic unused_swap;
  assign unused_swap = swap_q[Rows];

  always_ff @(posedge clk_i) begin
    shadow_row_q <= LgRows'(walk_q2.w_row);
    for (int unsigned i = 0; i < Rows; i++) begin
      for (int unsigned j = 0; j < Cols; j++) begin
        if (shadow_we_q && shadow_row_q == LgRows'(i)) shadow_q[i][j] <= wb_data_i[j*WgtW +: WgtW];
        if (swap_q[i]) weight_q[i][j] <= shadow_q[i][j];
      end
    end
  end

  // ---- Activations: row i is delayed by i cycles ----
  logic                 inside_q;
  logic [Rows*ActW-1:0] slice;
  logic signed [ActW-1:0] act [Rows];

  if (LgInSub == 0) begin : gen_one_slice
    assign slice = inside_q ? ib_data_i : '0;
    logic unused_sub;
    assign unused_sub = ^walk_q2.x_sub;
  end else begin : gen_slices
    logic [LgInSub-1:0] sub_q;
    always_ff @(posedge clk_i) sub_q <= LgInSub'(walk_q2.x_sub);
    assign slice = inside_q ? ib_data_i[Rows*ActW*32'(sub_q) +: Rows*ActW] : '0;
    logic unused_sub;
    assign unused_sub = ^walk_q2.x_sub[7:LgInSub];
  end

  always_ff @(posedge clk_i) inside_q <= walk_q2.x_inside;

  for (genvar i = 0; i < Rows; i++) begin : gen_skew
    logic [(i+1)*ActW-1:0] line_q;
    if (i == 0) begin : gen_first
      always_ff @(posedge clk_i) line_q <= slice[ActW-1:0];
    end else begin : gen_rest
      always_ff @(posedge clk_i) line_q <= {line_q[i*ActW-1:0], slice[i*ActW +: ActW]};
    end
    assign act[i] = line_q[i*ActW +: ActW];
  end

  // ---- Processing elements: a register each for the product and the sum, which a DSP has inside ----
  logic signed [SumW-1:0] sum [Rows][Cols];

  for (genvar i = 0; i < Rows; i++) begin : gen_row
    for (genvar j = 0; j < Cols; j++) begin : gen_pe
      logic signed [ActW+WgtW-1:0] product_q;
      logic signed [SumW-1:0]      sum_q;
      always_ff @(posedge clk_i) product_q <= (ActW + WgtW)'(act[i]) * (ActW + WgtW)'(weight_q[i][j]);
      if (i == 0) begin : gen_first
        always_ff @(posedge clk_i) sum_q <= SumW'(product_q);
      end else begin : gen_rest
        always_ff @(posedge clk_i) sum_q <= sum[i-1][j] + SumW'(product_q);
      end
      assign sum[i][j] = sum_q;
    end
  end

  // ---- Accumulator writes: the tags travel beside the sums ----
  localparam int unsigned TagW = 2 + AbAw + LgOutSub + 1;
  logic [Latency-1:0]  valid_q;
  logic [TagW-1:0]     tag_q [Latency];
  logic [TagW-1:0]     tag_in;
  logic                out_last;
  logic [LgOutSub:0]   out_sub;

  assign tag_in = {walk_q.x_last, walk_q.x_first, AbAw'(walk_q.acc_addr), (LgOutSub+1)'(walk_q.acc_sub)};
  logic unused_high;
  assign unused_high = ^{walk_q, walk_q2, walker_busy};

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Latency-2:0], walk_q.x_valid};
  end
  always_ff @(posedge clk_i) begin
    tag_q[0] <= tag_in;
    for (int unsigned i = 1; i < Latency; i++) tag_q[i] <= tag_q[i-1];
  end

  assign {out_last, acc_first_o, acc_addr_o, out_sub} = tag_q[Latency-1];
  assign acc_valid_o = valid_q[Latency-1];
  assign done_o      = acc_valid_o && out_last;

  always_comb begin
    acc_mask_o = '0;
    acc_data_o = '0;
    for (int unsigned j = 0; j < N; j++) begin
      acc_mask_o[j] = 32'(out_sub) == j / Cols;
      acc_data_o[j*AccW +: AccW] = AccW'(sum[Rows-1][j%Cols]);
    end
  end

endmodule
