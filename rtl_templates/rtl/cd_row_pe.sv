// One PE of the row-stationary array: a window of its input row, and a multiplier.
//
// The window is a ring of slots: words that the PE's tag selects come in, alone or a neighbouring two at once, which go
// to the memory of even and that of odd slots; older ones stay for the next positions of the filter row. Two stages:
// window register, then product; the weight comes with the window register.
module cd_row_pe #(
  parameter  int unsigned ActW  = 8,
  parameter  int unsigned WgtW  = 8,
  parameter  int unsigned Slots = 8,
  localparam int unsigned SlotW = $clog2(Slots)
) (
  input  logic                     clk_i,
  input  logic [1:0]               we_i,        // of the even and the odd slots
  input  logic [1:0][SlotW-2:0]    slot_i,      // without the lowest bit
  input  logic [1:0][ActW-1:0]     act_i,
  input  logic [SlotW-1:0]         read_slot_i,
  input  logic [WgtW-1:0]          weight_i,    // one cycle after read_slot_i
  output logic [ActW+WgtW-1:0]     product_o    // two cycles after read_slot_i
);
  /* verilator no_inline_module */  // one copy for all PEs: half the compile time

  localparam int unsigned ProdW = ActW + WgtW;

  logic [ActW-1:0]  even_q[Slots/2];
  logic [ActW-1:0]  odd_q[Slots/2];
  logic [ActW-1:0]  act_q;
  logic [ProdW-1:0] product_q;

  always_ff @(posedge clk_i) begin
    if (we_i[0]) even_q[slot_i[0]] <= act_i[0];
    if (we_i[1]) odd_q[slot_i[1]] <= act_i[1];
    act_q     <= read_slot_i[0] ? odd_q[read_slot_i[SlotW-1:1]] : even_q[read_slot_i[SlotW-1:1]];
    product_q <= ProdW'(signed'(act_q)) * ProdW'(signed'(weight_i));
  end

  assign product_o = product_q;

endmodule
