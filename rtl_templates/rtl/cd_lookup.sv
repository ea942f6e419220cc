// Any function of one activation, for each lane of post-processing: a table of 2^ActW entries. Two halves, so that the
// next layer's table can be filled while this one's serves. A write brings 16 entries; every lane has its own copy.
module cd_lookup #(
  parameter  int unsigned Lanes = 4,
  parameter  int unsigned ActW  = 8,
  localparam int unsigned Words = 2 ** ActW / 16,      // writes that fill a half
  localparam int unsigned Aw    = $clog2(2 * Words)
) (
  input  logic                  clk_i,
  input  logic                  we_i,
  input  logic [Aw-1:0]         waddr_i,
  input  logic [16*ActW-1:0]    wdata_i,
  // Held while anything of a command is in the pipeline:
  input  logic                  enable_i,              // 0: values pass unchanged
  input  logic                  half_i,
  input  logic [Lanes*ActW-1:0] x_i,
  output logic [Lanes*ActW-1:0] y_o                    // two cycles later
);

  for (genvar i = 0; i < int'(Lanes); i++) begin : gen_lane
    logic [ActW-1:0]    x, x_q, index;
    logic [16*ActW-1:0] row;
    logic [Aw-1:0]      raddr;

    assign x     = x_i[i*ActW +: ActW];
    assign index = {~x[ActW-1], x[ActW-2:0]};          // the most negative value is entry 0

    if (Words > 1) begin : gen_rows
      assign raddr = {half_i, index[ActW-1:4]};
    end else begin : gen_row
      assign raddr = half_i;
    end

    // 32 words at most: look-up tables, no block.
    cd_block #(
      .Width(16 * ActW),
      .Depth(2 * Words)
    ) u_ram (
      .clk_i,
      .we_i,
      .waddr_i,
      .wdata_i,
      .re_i   (enable_i),
      .raddr_i(raddr),
      .rdata_o(row)
    );

    logic [3:0] column_q;
    always_ff @(posedge clk_i) begin
      x_q                   <= x;
      column_q              <= index[3:0];
      y_o[i*ActW +: ActW]   <= enable_i ? row[ActW*32'(column_q) +: ActW] : x_q;
    end
  end

endmodule
