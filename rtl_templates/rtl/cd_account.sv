// Where the cycles of a run go, by what the compute unit does in each of them: the counters behind `cycle_account`.
//
// The compute unit runs one tile after another, so its time falls into tiles and gaps. A gap belongs to the token that came
// last (the lowest of several that came together); whether the drain that frees accumulators had waited for memory itself
// is remembered for each filling of them.
module cd_account
  import cd_types_pkg::*;
#(
  parameter int unsigned Width = 40   // of a counter
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic                  clear_i,      // a run begins
  input  logic                  running_i,
  input  logic                  busy_i,       // the compute unit
  input  logic                  compute_start_i,
  input  compute_e              compute_op_i, // of the command that starts, as its token
  input  token_t                compute_token_i,
  input  logic                  compute_valid_i,
  input  logic                  drain_start_i,
  input  token_t                drain_token_i,
  input  logic                  drain_valid_i,
  input  logic                  drain_busy_i,
  input  logic [15:0]           ready_i,      // semaphores with a token
  // In this order: array, vector unit, non-linear unit at work; then gaps: dispatch, memory, post-processing, a layer's
  // start; the gap that lasts (at the end: from the last tile to the end of the run).
  output logic [7:0][Width-1:0] counters_o
);

  // All is counted a cycle later: what happens is known late in its own.
  logic        clear_q, running_q, busy_q, compute_start_q, compute_valid_q, drain_start_q, drain_valid_q, drain_busy_q;
  compute_e    compute_op_q;
  token_t      compute_token_q, drain_token_q;
  logic [15:0] ready_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      clear_q         <= 1'b0;
      running_q       <= 1'b0;
      busy_q          <= 1'b0;
      compute_start_q <= 1'b0;
      compute_valid_q <= 1'b0;
      drain_start_q   <= 1'b0;
      drain_valid_q   <= 1'b0;
      drain_busy_q    <= 1'b0;
    end else begin
      clear_q         <= clear_i;
      running_q       <= running_i;
      busy_q          <= busy_i;
      compute_start_q <= compute_start_i;
      compute_valid_q <= compute_valid_i;
      drain_start_q   <= drain_start_i;
      drain_valid_q   <= drain_valid_i;
      drain_busy_q    <= drain_busy_i;
    end
  end
  always_ff @(posedge clk_i) begin
    compute_op_q    <= compute_op_i;
    compute_token_q <= compute_token_i;
    drain_token_q   <= drain_token_i;
    ready_q         <= ready_i;
  end

  typedef enum logic [2:0] {Array, Vector, Nonlinear, Dispatch, Memory, Post, LayerStart, Open} count_e;

  localparam int unsigned InputFull = 0, WeightFull = 2, ParamFull = 4, ResidualFull = 6, AccFree = 9, OutputFree = 11,
                          TableFull = 13;
  localparam logic [15:0] Loaded = 16'd1 << InputFull | 16'd1 << WeightFull;
  localparam logic [15:0] DrainMemory = 16'd1 << OutputFree | 16'd1 << ResidualFull | 16'd1 << ParamFull
                                      | 16'd1 << TableFull;

  // Which tokens a unit's head lacked two cycles before it starts, and whether the unit was free a cycle before: then it
  // waited for nothing else. Of several, the lowest counts.
  logic [15:0] compute_missed_q, drain_missed_q, compute_cause, drain_cause;
  logic        compute_acc_q, compute_loaded_q, drain_cause_q;
  assign compute_cause = compute_valid_q && !busy_q ? compute_missed_q & (~compute_missed_q + 16'd1) : '0;
  assign drain_cause   = drain_valid_q && !drain_busy_q ? drain_missed_q & (~drain_missed_q + 16'd1) : '0;

  logic        freed_q [4];       // by filling of the accumulators
  logic [1:0]  put_q, get_q;
  logic        drain_memory_q, drain_memory;
  logic [15:0] tag_q;
  logic        first_q;
  logic [2:0]  engine_q;
  count_e      gap;

  assign drain_memory = drain_memory_q || drain_cause_q;

  always_comb begin
    gap = Dispatch;
    if (compute_acc_q) gap = freed_q[get_q] ? Memory : Post;
    else if (compute_loaded_q) gap = Memory;
    if (first_q || tag_q != compute_token_q.tag) gap = LayerStart;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      compute_missed_q <= '0;
      drain_missed_q   <= '0;
      compute_acc_q    <= 1'b0;
      compute_loaded_q <= 1'b0;
      drain_cause_q    <= 1'b0;
      put_q            <= '0;
      get_q            <= '0;
      drain_memory_q   <= 1'b0;
      tag_q            <= '0;
      first_q          <= 1'b1;
      engine_q         <= '0;
      counters_o       <= '0;
      for (int unsigned i = 0; i < 4; i++) freed_q[i] <= 1'b0;
    end else if (clear_q) begin
      put_q          <= '0;
      get_q          <= '0;
      drain_memory_q <= 1'b0;
      first_q        <= 1'b1;
      counters_o     <= '0;
    end else begin
      compute_missed_q <= compute_valid_q ? compute_token_q.wait_for & ~ready_q : '0;
      drain_missed_q   <= drain_valid_q ? drain_token_q.wait_for & ~ready_q : '0;
      compute_acc_q    <= compute_cause[AccFree];
      compute_loaded_q <= |(compute_cause & Loaded);
      drain_cause_q    <= |(drain_cause & DrainMemory);

      if (drain_start_q) begin
        drain_memory_q <= drain_memory;
        if (drain_token_q.signal[AccFree]) begin
          freed_q[put_q] <= drain_memory;
          put_q          <= put_q + 2'd1;
          drain_memory_q <= 1'b0;
        end
      end

      if (running_q && busy_q) begin
        for (int unsigned i = 0; i < 3; i++) begin
          if (engine_q[i]) counters_o[i] <= counters_o[i] + 1'b1;
        end
      end
      if (running_q && !busy_q) counters_o[Open] <= counters_o[Open] + 1'b1;

      if (compute_start_q) begin
        for (int unsigned i = 3; i < 7; i++) begin
          if (32'(gap) == i) counters_o[i] <= counters_o[i] + counters_o[Open] + 1'b1;
        end
        counters_o[Open] <= '0;
        first_q  <= 1'b0;
        tag_q    <= compute_token_q.tag;
        engine_q <= compute_op_q == CompArray ? 3'b001 : compute_op_q >= CompSoftmax ? 3'b100 : 3'b010;
        if (compute_token_q.wait_for[AccFree]) get_q <= get_q + 2'd1;
      end
    end
  end

  logic unused_token;
  assign unused_token = ^{compute_token_q.signal, compute_token_q.mark, drain_token_q.tag, drain_token_q.mark};

endmodule
