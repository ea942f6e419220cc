// The vector unit: N lanes, one channel each. Depthwise convolution, window sums and window maxima, in the
// passes of cd_window_walker: up to Taps neighbouring taps of a filter row at once, one word of N channels a cycle.
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
  parameter int unsigned Taps = 1,            // multipliers of a lane
  parameter int unsigned N    = Rows > Cols ? Rows : Cols  // lanes
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
  output logic [AbAw-1:0]      acc_addr_o,
  output logic [N*AccW-1:0]    acc_data_o
);

  localparam int unsigned Words   = N / Cols;   // weight words of a tap
  localparam int unsigned LgN     = $clog2(N);
  localparam int unsigned Tw      = $clog2(Taps + 1);
  localparam int unsigned TermW   = ActW + WgtW;
  localparam int unsigned Levels  = $clog2(Taps);  // of the tree that makes one value of a window's taps
  localparam int unsigned Latency = 5 + Levels;    // from the request of a window's last word to its accumulator write

  compute_t      cmd_q;
  logic          busy_q, started_q, walker_busy;
  logic [15:0]   blocks;

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
  // Taken in every idle cycle: the start, which is known late, need not reach so many registers.
  always_ff @(posedge clk_i) begin
    if (cmd_ready_o) cmd_q <= cmd_i;
  end

  // What the walk says, a register behind it: sums and comparisons of addresses do not reach the buffers in their cycle.
  typedef struct packed {
    logic          x_shift, x_inside, x_start, x_valid, x_first, x_last, w_req;
    logic [19:0]   x_addr, acc_addr;
    logic [21:0]   w_addr;
    logic [Tw-1:0] x_taps, w_tap;
    logic [7:0]    w_part;
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

  cd_window_walker #(
    .Taps (Taps),
    .Words(Words)
  ) u_walker (
    .clk_i,
    .rst_ni,
    .start_i   (busy_q && !started_q),
    .busy_o    (walker_busy),
    .cmd_i     (cmd_q.tile),
    .blocks_i  (blocks),
    .weights_i (cmd_q.op == CompDepthwise),
    .w_req_o   (walk.w_req),
    .w_addr_o  (walk.w_addr),
    .w_tap_o   (walk.w_tap),
    .w_part_o  (walk.w_part),
    .x_shift_o (walk.x_shift),
    .x_inside_o(walk.x_inside),
    .x_addr_o  (walk.x_addr),
    .x_start_o (walk.x_start),
    .x_taps_o  (walk.x_taps),
    .x_valid_o (walk.x_valid),
    .x_first_o (walk.x_first),
    .x_last_o  (walk.x_last),
    .acc_addr_o(walk.acc_addr)
  );

  assign ib_req_o  = walk_q.x_inside;
  assign ib_addr_o = IbAw'(walk_q.x_addr);
  assign wb_req_o  = walk_q.w_req;
  assign wb_addr_o = WbAw'(walk_q.w_addr);
  logic unused_signals;
  assign unused_signals = ^{walk_q, walk_q2, cmd_q};

  // ---- Weights: the next pass's wait in shadow registers ----
  logic signed [WgtW-1:0] shadow_q [Taps][N];
  logic signed [WgtW-1:0] weight_q [Taps][N];
  logic                   shadow_we_q, swap_q;
  logic [Tw-1:0]          shadow_tap_q, taps_q;
  logic [7:0]             shadow_part_q;
  logic [Taps-1:0]        used_q;             // taps of the pass

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      shadow_we_q <= 1'b0;
      swap_q      <= 1'b0;
    end else begin
      shadow_we_q <= walk_q2.w_req;
      swap_q      <= walk_q2.x_start;
    end
  end

  always_ff @(posedge clk_i) begin
    shadow_tap_q  <= walk_q2.w_tap;
    shadow_part_q <= walk_q2.w_part;
    taps_q        <= walk_q2.x_taps;
    for (int unsigned t = 0; t < Taps; t++) begin
      if (swap_q) used_q[t] <= Tw'(t) < taps_q;
      for (int unsigned j = 0; j < N; j++) begin
        if (shadow_we_q && shadow_tap_q == Tw'(t) && shadow_part_q == 8'(j / Cols)) begin
          shadow_q[t][j] <= wb_data_i[(j%Cols)*WgtW +: WgtW];
        end
        if (swap_q) weight_q[t][j] <= Tw'(t) < taps_q ? shadow_q[t][j] : '0;
      end
    end
  end

  // ---- Window: words enter at the pass's last tap and move down ----
  logic                   shift_q, inside_q;
  logic [Taps-1:0]        window_in_q;        // not padding
  logic signed [ActW-1:0] window_q [Taps][N];

  always_ff @(posedge clk_i) begin
    shift_q  <= walk_q2.x_shift;
    inside_q <= walk_q2.x_inside;
    if (shift_q) begin
      for (int unsigned t = 0; t < Taps; t++) begin
        if (Tw'(t + 1) == taps_q) begin
          window_in_q[t] <= inside_q;
          for (int unsigned j = 0; j < N; j++) window_q[t][j] <= inside_q ? ib_data_i[j*ActW +: ActW] : '0;
        end else if (t + 1 < Taps) begin
          window_in_q[t] <= window_in_q[t + 1];
          window_q[t]    <= window_q[t + 1];
        end
      end
    end
  end

  // ---- Lanes: a product and a value a tap; one of them; their sum or maximum by twos. A register each ----
  localparam int unsigned SumW = AccW < TermW + Levels ? AccW : TermW + Levels;
  localparam logic signed [TermW-1:0] Least = {1'b1, {(TermW - 1){1'b0}}};
  logic signed [TermW-1:0] product_q [Taps][N], value_q [Taps][N];
  logic signed [SumW-1:0]  tree_q [Levels+1][Taps][N];  // of level l the first ceil(Taps / 2^l)

  always_ff @(posedge clk_i) begin
    for (int unsigned t = 0; t < Taps; t++) begin
      for (int unsigned j = 0; j < N; j++) begin
        product_q[t][j] <= TermW'(window_q[t][j]) * TermW'(weight_q[t][j]);
        if (cmd_q.op == CompMax) value_q[t][j] <= used_q[t] && window_in_q[t] ? TermW'(window_q[t][j]) : Least;
        else value_q[t][j] <= used_q[t] ? TermW'(window_q[t][j]) : '0;
        tree_q[0][t][j] <= SumW'(cmd_q.op == CompDepthwise ? product_q[t][j] : value_q[t][j]);
      end
    end
  end

  for (genvar l = 0; l < int'(Levels); l++) begin : gen_level
    localparam int unsigned Inputs = (Taps + (1 << l) - 1) >> l;
    always_ff @(posedge clk_i) begin
      for (int unsigned t = 0; t < Inputs; t += 2) begin
        for (int unsigned j = 0; j < N; j++) begin
          if (t + 1 == Inputs) tree_q[l+1][t/2][j] <= tree_q[l][t][j];
          else if (cmd_q.op != CompMax) tree_q[l+1][t/2][j] <= tree_q[l][t][j] + tree_q[l][t+1][j];
          else tree_q[l+1][t/2][j] <= tree_q[l][t][j] > tree_q[l][t+1][j] ? tree_q[l][t][j] : tree_q[l][t+1][j];
        end
      end
    end
  end

  // ---- Accumulator writes ----
  logic [Latency-1:0] valid_q, first_q, last_q;
  logic [AbAw-1:0]    addr_q [Latency];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[Latency-2:0], walk_q.x_valid};
  end
  always_ff @(posedge clk_i) begin
    first_q   <= {first_q[Latency-2:0], walk_q.x_first};
    last_q    <= {last_q[Latency-2:0], walk_q.x_last};
    addr_q[0] <= AbAw'(walk_q.acc_addr);
    for (int unsigned i = 1; i < Latency; i++) addr_q[i] <= addr_q[i-1];
  end

  assign acc_valid_o = valid_q[Latency-1];
  assign acc_first_o = first_q[Latency-1];
  assign acc_addr_o  = addr_q[Latency-1];
  assign done_o      = acc_valid_o && last_q[Latency-1];

  always_comb begin
    for (int unsigned j = 0; j < N; j++) acc_data_o[j*AccW +: AccW] = AccW'(tree_q[Levels][0][j]);
  end

endmodule
