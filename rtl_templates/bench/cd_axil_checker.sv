// The handshakes of an AXI4-Lite port; bound into cd_accelerator by cd_bind.sv.
/* verilator lint_off SYNCASYNCNET */  // assertions see the asynchronous reset at the clock
module cd_axil_checker (
  input logic        clk_i,
  input logic        rst_ni,
  input logic        awvalid_i,
  input logic        awready_i,
  input logic [7:0]  awaddr_i,
  input logic        wvalid_i,
  input logic        wready_i,
  input logic [31:0] wdata_i,
  input logic [3:0]  wstrb_i,
  input logic        bvalid_i,
  input logic        bready_i,
  input logic [1:0]  bresp_i,
  input logic        arvalid_i,
  input logic        arready_i,
  input logic [7:0]  araddr_i,
  input logic        rvalid_i,
  input logic        rready_i,
  input logic [31:0] rdata_i,
  input logic [1:0]  rresp_i
);

  `define CD_STAYS(name, valid, ready, payload) \
    name: assert property (@(posedge clk_i) disable iff (!rst_ni) \
      valid && !ready |=> valid && $stable(payload)) else $fatal(1, `"name of the registers changed`");
  `CD_STAYS(AW, awvalid_i, awready_i, awaddr_i)
  `CD_STAYS(W, wvalid_i, wready_i, ({wdata_i, wstrb_i}))
  `CD_STAYS(B, bvalid_i, bready_i, bresp_i)
  `CD_STAYS(AR, arvalid_i, arready_i, araddr_i)
  `CD_STAYS(R, rvalid_i, rready_i, ({rdata_i, rresp_i}))
  `undef CD_STAYS

  // Each response answers one request, and comes behind it.
  logic [3:0] aw_q, w_q, ar_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {aw_q, w_q, ar_q} <= '0;
    end else begin
      aw_q <= aw_q + 4'(awvalid_i && awready_i) - 4'(bvalid_i && bready_i);
      w_q  <= w_q + 4'(wvalid_i && wready_i) - 4'(bvalid_i && bready_i);
      ar_q <= ar_q + 4'(arvalid_i && arready_i) - 4'(rvalid_i && rready_i);
    end
  end
  answered_b: assert property (@(posedge clk_i) disable iff (!rst_ni) bvalid_i |-> aw_q != '0 && w_q != '0)
    else $fatal(1, "a response of the registers without its request");
  answered_r: assert property (@(posedge clk_i) disable iff (!rst_ni) rvalid_i |-> ar_q != '0)
    else $fatal(1, "data of the registers without its request");

endmodule
/* verilator lint_on SYNCASYNCNET */
