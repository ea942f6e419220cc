// A queue: data_o shows the head. Pushing into a full queue and popping an empty one are the caller's faults.
module cd_fifo #(
  parameter int unsigned Width = 32,
  parameter int unsigned Depth = 8   // a power of two
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             flush_i,
  input  logic             push_i,
  input  logic [Width-1:0] data_i,
  output logic             full_o,
  input  logic             pop_i,
  output logic [Width-1:0] data_o,
  output logic             empty_o
);

  localparam int unsigned Aw = $clog2(Depth);
  if (Depth < 2 || 2 ** Aw != Depth) begin : gen_check
    $error("cd_fifo: Depth must be a power of two");
  end

  logic [Width-1:0] mem_q [Depth];
  logic [Aw:0]      wptr_q, rptr_q;

  assign empty_o = wptr_q == rptr_q;
  assign full_o  = wptr_q[Aw-1:0] == rptr_q[Aw-1:0] && wptr_q[Aw] != rptr_q[Aw];
  assign data_o  = mem_q[rptr_q[Aw-1:0]];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wptr_q <= '0;
      rptr_q <= '0;
    end else if (flush_i) begin
      wptr_q <= '0;
      rptr_q <= '0;
    end else begin
      if (push_i) wptr_q <= wptr_q + 1'b1;
      if (pop_i)  rptr_q <= rptr_q + 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (push_i) mem_q[wptr_q[Aw-1:0]] <= data_i;
  end

endmodule
