// One PE of the row-stationary array: a window of its input row, and a multiplier.
//
// The window is a ring: words that the PE's tag selects go to slot_i, older ones stay for the next positions of the
// filter row. Two stages: window register, then product; the weight comes with the window register.
module cd_row_pe #(
  parameter  int unsigned ActW  = 8,
  parameter  int unsigned WgtW  = 8,
  parameter  int unsigned Slots = 8,
  localparam int unsigned SlotW = $clog2(Slots)
) (
  input  logic                 clk_i,
  input  logic                 we_i,
  input  logic [SlotW-1:0]     slot_i,
  input  logic [ActW-1:0]      act_i,
  input  logic [SlotW-1:0]     read_slot_i,
  input  logic [WgtW-1:0]      weight_i,    // one cycle after read_slot_i
  output logic [ActW+WgtW-1:0] product_o    // two cycles after read_slot_i
);
  /* verilator no_inline_module */  // one copy for all PEs: half the compile time

  localparam int unsigned ProdW = ActW + WgtW;

  logic [ActW-1:0]  ring_q[Slots];
  logic [ActW-1:0]  act_q;
  logic [ProdW-1:0] product_q;

  always_ff @(posedge clk_i) begin
    if (we_i) ring_q[slot_i] <= act_i;
    act_q     <= ring_q[read_slot_i];
    product_q <= ProdW'(signed'(act_q)) * ProdW'(signed'(weight_i));
  end

  assign product_o = product_q;

endmodule
