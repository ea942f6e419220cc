// A memory with one write and one read port, and a register behind it: read data comes two cycles after re_i and holds
// until that of the next read.
//
// A block gives its data late in the clock cycle: so no path begins at one and goes through a long wire and logic.
module cd_ram #(
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

  logic [Width-1:0] read;

  cd_block #(
    .Width(Width),
    .Depth(Depth)
  ) u_block (
    .clk_i,
    .we_i,
    .waddr_i,
    .wdata_i,
    .re_i,
    .raddr_i,
    .rdata_o(read)
  );

  always_ff @(posedge clk_i) rdata_o <= read;

endmodule
