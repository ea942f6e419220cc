// A queue: data_o shows the head. Pushing into a full queue and popping an empty one are the caller's faults.
//
// The upper HeadW bits of the head lie in a register, no later than the others come from the memory: for what is
// decided by the head in the cycle in which it is taken. The place behind the last is written in every cycle: push_i, which
// may be known late, need not reach the memory.
module cd_fifo #(
  parameter int unsigned Width = 32,
  parameter int unsigned Depth = 8,  // a power of two
  parameter int unsigned HeadW = 0
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
  if (Depth < 2 || 2 ** Aw != Depth || HeadW > Width) begin : gen_check
    $error("cd_fifo: Depth must be a power of two, HeadW at most Width");
  end

  logic [Aw-1:0] wptr_q, rptr_q, rnext_q; // rnext_q: rptr_q + 1
  logic          empty_q, full_q, single; // single: one is in it, if any

  assign single  = rnext_q == wptr_q;
  assign empty_o = empty_q;
  assign full_o  = full_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wptr_q  <= '0;
      rptr_q  <= '0;
      rnext_q <= Aw'(1);
      empty_q <= 1'b1;
      full_q  <= 1'b0;
    end else if (flush_i) begin
      wptr_q  <= '0;
      rptr_q  <= '0;
      rnext_q <= Aw'(1);
      empty_q <= 1'b1;
      full_q  <= 1'b0;
    end else begin
      if (push_i) wptr_q <= wptr_q + 1'b1;
      if (pop_i) begin
        rptr_q  <= rnext_q;
        rnext_q <= rnext_q + 1'b1;
      end
      if (push_i != pop_i) begin
        empty_q <= pop_i && single;
        full_q  <= push_i && Aw'(wptr_q + 1'b1) == rptr_q;
      end
    end
  end

  if (HeadW > 0) begin : gen_head
    logic [HeadW-1:0] head_q;
    logic [HeadW-1:0] head_mem_q [Depth];
    assign data_o[Width-1 -: HeadW] = head_q;
    always_ff @(posedge clk_i) begin
      if (!full_q) head_mem_q[wptr_q] <= data_i[Width-1 -: HeadW];
      if (pop_i || empty_q) head_q <= empty_q || single ? data_i[Width-1 -: HeadW] : head_mem_q[rnext_q];
    end
  end

  if (HeadW < Width) begin : gen_rest
    logic [Width-HeadW-1:0] mem_q [Depth];
    assign data_o[Width-HeadW-1:0] = mem_q[rptr_q];
    always_ff @(posedge clk_i) begin
      if (!full_q) mem_q[wptr_q] <= data_i[Width-HeadW-1:0];
    end
  end

endmodule
