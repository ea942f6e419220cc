// Watches an AXI4 port and ends the simulation where the protocol is broken; bound into cd_accelerator by cd_bind.sv.
/* verilator lint_off SYNCASYNCNET */  // assertions see the asynchronous reset at the clock
module cd_axi_checker #(
  parameter int unsigned AxiW     = 128,
  parameter int unsigned MaxBurst = 32
) (
  input logic              clk_i,
  input logic              rst_ni,
  input logic              awvalid_i,
  input logic              awready_i,
  input logic [39:0]       awaddr_i,
  input logic [7:0]        awlen_i,
  input logic [2:0]        awsize_i,
  input logic [1:0]        awburst_i,
  input logic              wvalid_i,
  input logic              wready_i,
  input logic [AxiW-1:0]   wdata_i,
  input logic [AxiW/8-1:0] wstrb_i,
  input logic              wlast_i,
  input logic              bvalid_i,
  input logic              bready_i,
  input logic [1:0]        bresp_i,
  input logic              arvalid_i,
  input logic              arready_i,
  input logic [39:0]       araddr_i,
  input logic [7:0]        arlen_i,
  input logic [2:0]        arsize_i,
  input logic [1:0]        arburst_i,
  input logic              rvalid_i,
  input logic              rready_i,
  input logic [AxiW-1:0]   rdata_i,
  input logic [1:0]        rresp_i,
  input logic              rlast_i
);

  localparam int unsigned Bytes = AxiW / 8;
  localparam int unsigned Depth = 256;

  // Bursts whose data is still to come, in order; responses owed.
  // Data may come before its address: bursts that ran ahead keep their length until the address is there.
  logic [7:0] aw_len_q [Depth];
  logic [7:0] w_len_q [Depth];
  logic [7:0] ar_len_q [Depth];
  logic [7:0] aw_put_q, w_put_q, ar_put_q, ar_get_q;
  logic [8:0] w_beat_q, r_beat_q;
  logic [8:0] owed_q;

  function automatic logic in_page(input logic [11:0] addr, input logic [7:0] len);
    return 32'(addr) + (32'(len) + 32'd1) * Bytes <= 32'd4096;
  endfunction

  // Once offered, a transfer stays as it is until it is taken (AMBA AXI, "handshake process").
  `define CD_STAYS(name, valid, ready, payload) \
    name: assert property (@(posedge clk_i) disable iff (!rst_ni) \
      valid && !ready |=> valid && $stable(payload)) else $fatal(1, `"name changed`");
  `CD_STAYS(AW, awvalid_i, awready_i, ({awaddr_i, awlen_i, awsize_i, awburst_i}))
  `CD_STAYS(AR, arvalid_i, arready_i, ({araddr_i, arlen_i, arsize_i, arburst_i}))
  `CD_STAYS(W, wvalid_i, wready_i, ({wdata_i, wstrb_i, wlast_i}))
  `CD_STAYS(B, bvalid_i, bready_i, bresp_i)
  `CD_STAYS(R, rvalid_i, rready_i, ({rlast_i, rresp_i, rdata_i}))
  `undef CD_STAYS

  // No VALID during a reset and in the first cycle behind it. (At its first edge a simulation may show what woke up.)
  quiet: assert property (@(posedge clk_i) !rst_ni |=> !awvalid_i && !wvalid_i && !arvalid_i)
    else $fatal(1, "VALID during reset");

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {aw_put_q, w_put_q, ar_put_q, ar_get_q} <= '0;
      {w_beat_q, r_beat_q, owed_q} <= '0;
    end else begin
      // Bursts: whole beats, incrementing, no longer than MaxBurst, within 4 KiB.
      if (awvalid_i) begin
        assert (32'(awsize_i) == $clog2(Bytes) && awburst_i == 2'b01) else $fatal(1, "AW size or kind");
        assert (32'(awlen_i) < MaxBurst && in_page(awaddr_i[11:0], awlen_i)) else $fatal(1, "AW too long or across 4 KiB");
        assert (awaddr_i % 40'(Bytes) == '0) else $fatal(1, "AW not aligned to a beat");
      end
      if (arvalid_i) begin
        assert (32'(arsize_i) == $clog2(Bytes) && arburst_i == 2'b01) else $fatal(1, "AR size or kind");
        assert (32'(arlen_i) < MaxBurst && in_page(araddr_i[11:0], arlen_i)) else $fatal(1, "AR too long or across 4 KiB");
        assert (araddr_i % 40'(Bytes) == '0) else $fatal(1, "AR not aligned to a beat");
      end

      if (awvalid_i && awready_i) begin
        aw_len_q[aw_put_q] <= awlen_i;
        if (signed'(8'(w_put_q - aw_put_q)) > 0) begin
          assert (awlen_i == w_len_q[aw_put_q]) else $fatal(1, "WLAST in the wrong beat, before its AW");
        end
        aw_put_q <= aw_put_q + 8'd1;
      end
      if (arvalid_i && arready_i) begin
        ar_len_q[ar_put_q] <= arlen_i;
        ar_put_q <= ar_put_q + 8'd1;
      end
      if (wvalid_i && wready_i) begin
        if (signed'(8'(aw_put_q - w_put_q)) > 0) begin
          assert (wlast_i == (w_beat_q == 9'(aw_len_q[w_put_q]))) else $fatal(1, "WLAST in the wrong beat");
        end else if (awvalid_i && awready_i && aw_put_q == w_put_q) begin
          assert (wlast_i == (w_beat_q == 9'(awlen_i))) else $fatal(1, "WLAST in the wrong beat");
        end
        assert (32'(w_beat_q) < MaxBurst) else $fatal(1, "a burst of data too long");
        assert (wstrb_i != '0) else $fatal(1, "a beat that writes nothing");
        w_beat_q <= wlast_i ? '0 : w_beat_q + 9'd1;
        if (wlast_i) begin
          w_len_q[w_put_q] <= 8'(w_beat_q);
          w_put_q <= w_put_q + 8'd1;
        end
      end
      if (rvalid_i && rready_i) begin
        assert (ar_get_q != ar_put_q) else $fatal(1, "R without an AR");
        assert (rlast_i == (r_beat_q == 9'(ar_len_q[ar_get_q]))) else $fatal(1, "RLAST in the wrong beat");
        r_beat_q <= rlast_i ? '0 : r_beat_q + 9'd1;
        if (rlast_i) ar_get_q <= ar_get_q + 8'd1;
      end
      if (bvalid_i && bready_i) assert (owed_q != '0) else $fatal(1, "B without a write");
      owed_q <= owed_q + 9'(wvalid_i && wready_i && wlast_i) - 9'(bvalid_i && bready_i);
    end
  end

endmodule
/* verilator lint_on SYNCASYNCNET */
