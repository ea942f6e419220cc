// A memory alone, as blocks of an FPGA or macros have it: read data comes the cycle after re_i and holds until the next read.
//
// Nobody uses a word that is read in the cycle in which it is written: no logic need settle what a block of an FPGA gives
// then (no_rw_check), and a simulation gives what would be noticed.
module cd_block #(
  parameter int unsigned Width = 32,
  parameter int unsigned Depth = 256,
  localparam int unsigned Aw = Depth > 1 ? $clog2(Depth) : 1
) (
  input  logic             clk_i,
  input  logic             we_i,
  input  logic [Aw-1:0]    waddr_i,
  input  logic [Width-1:0] wdata_i,
  input  logic             re_i,
  input  logic [Aw-1:0]    raddr_i,
  output logic [Width-1:0] rdata_o
);

  (* no_rw_check *)
  logic [Width-1:0] mem_q [Depth];

  always_ff @(posedge clk_i) begin
    if (we_i) mem_q[waddr_i] <= wdata_i;
  end

  always_ff @(posedge clk_i) begin
`ifdef VERILATOR
    if (re_i) rdata_o <= we_i && waddr_i == raddr_i ? ~mem_q[raddr_i] : mem_q[raddr_i];
`else
    if (re_i) rdata_o <= mem_q[raddr_i];
`endif
  end

endmodule
