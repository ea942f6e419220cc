// The buffers between memory and compute: the load unit fills three of them, the drain unit the fourth. Both halves of
// each are one memory.
module cd_buffers
  import cd_types_pkg::*;
#(
  parameter int unsigned ActBytes = 16,
  parameter int unsigned WgtBytes = 16,
  parameter int unsigned IbWords  = 4096,  // input buffer
  parameter int unsigned WbWords  = 4096,  // weight buffer
  parameter int unsigned ObWords  = 1024,  // output buffer, residual buffer
  parameter bit          Pair     = 1'b0,  // the input buffer gives two words at once, from even and odd banks
  localparam int unsigned IbAw    = $clog2(IbWords),
  localparam int unsigned WbAw    = $clog2(WbWords),
  localparam int unsigned ObAw    = $clog2(ObWords)
) (
  input  logic                  clk_i,
  input  logic                  wr_valid_i,
  input  buffer_e               wr_target_i,
  input  logic [19:0]           wr_addr_i,
  input  logic [ActBytes*8-1:0] wr_act_i,
  input  logic [WgtBytes*8-1:0] wr_wgt_i,
  input  logic                  ib_re_i,
  input  logic                  ib_pair_i,   // the word behind ib_addr_i, too
  input  logic [IbAw-1:0]       ib_addr_i,
  output logic [ActBytes*8-1:0] ib_data_o,   // two cycles later; so with all
  output logic [ActBytes*8-1:0] ib_next_o,
  input  logic                  wb_re_i,
  input  logic [WbAw-1:0]       wb_addr_i,
  output logic [WgtBytes*8-1:0] wb_data_o,
  input  logic                  rb_re_i,
  input  logic [19:0]           rb_addr_i,
  output logic [ActBytes*8-1:0] rb_data_o,
  input  logic                  ob_we_i,
  input  logic [19:0]           ob_waddr_i,
  input  logic [ActBytes*8-1:0] ob_wdata_i,
  input  logic                  ob_re_i,
  input  logic [19:0]           ob_raddr_i,
  output logic [ActBytes*8-1:0] ob_rdata_o
);

  if (Pair) begin : gen_banks
    logic [1:0][IbAw-2:0]       addr;    // by bank: of even, of odd words
    logic [1:0]                 re;
    logic [1:0][ActBytes*8-1:0] data;
    logic                       odd;
    logic [1:0]                 odd_q;   // of the two cycles before
    assign odd     = ib_addr_i[0];
    assign addr[0] = ib_addr_i[IbAw-1:1] + (IbAw-1)'(odd);
    assign addr[1] = ib_addr_i[IbAw-1:1];
    assign re      = odd ? {ib_re_i, ib_pair_i} : {ib_pair_i, ib_re_i};
    for (genvar b = 0; b < 2; b++) begin : gen_bank
      cd_ram #(
        .Width(ActBytes * 8),
        .Depth(IbWords / 2)
      ) u_input_buffer (
        .clk_i,
        .we_i   (wr_valid_i && wr_target_i == BufInput && wr_addr_i[0] == 1'(b)),
        .waddr_i((IbAw-1)'(wr_addr_i >> 1)),
        .wdata_i(wr_act_i),
        .re_i   (re[b]),
        .raddr_i(addr[b]),
        .rdata_o(data[b])
      );
    end
    always_ff @(posedge clk_i) odd_q <= {odd_q[0], odd};
    assign ib_data_o = data[odd_q[1]];
    assign ib_next_o = data[!odd_q[1]];
  end else begin : gen_one
    cd_ram #(
      .Width(ActBytes * 8),
      .Depth(IbWords)
    ) u_input_buffer (
      .clk_i,
      .we_i   (wr_valid_i && wr_target_i == BufInput),
      .waddr_i(IbAw'(wr_addr_i)),
      .wdata_i(wr_act_i),
      .re_i   (ib_re_i),
      .raddr_i(ib_addr_i),
      .rdata_o(ib_data_o)
    );
    assign ib_next_o = '0;
    logic unused_pair;
    assign unused_pair = ib_pair_i;
  end
  cd_ram #(
    .Width(WgtBytes * 8),
    .Depth(WbWords)
  ) u_weight_buffer (
    .clk_i,
    .we_i   (wr_valid_i && wr_target_i == BufWeight),
    .waddr_i(WbAw'(wr_addr_i)),
    .wdata_i(wr_wgt_i),
    .re_i   (wb_re_i),
    .raddr_i(wb_addr_i),
    .rdata_o(wb_data_o)
  );
  cd_ram #(
    .Width(ActBytes * 8),
    .Depth(ObWords)
  ) u_residual_buffer (
    .clk_i,
    .we_i   (wr_valid_i && wr_target_i == BufResidual),
    .waddr_i(ObAw'(wr_addr_i)),
    .wdata_i(wr_act_i),
    .re_i   (rb_re_i),
    .raddr_i(ObAw'(rb_addr_i)),
    .rdata_o(rb_data_o)
  );
  cd_ram #(
    .Width(ActBytes * 8),
    .Depth(ObWords)
  ) u_output_buffer (
    .clk_i,
    .we_i   (ob_we_i),
    .waddr_i(ObAw'(ob_waddr_i)),
    .wdata_i(ob_wdata_i),
    .re_i   (ob_re_i),
    .raddr_i(ObAw'(ob_raddr_i)),
    .rdata_o(ob_rdata_o)
  );
  logic unused_addr;
  assign unused_addr = ^{wr_addr_i, rb_addr_i, ob_raddr_i, ob_waddr_i};

endmodule
