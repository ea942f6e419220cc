// The fast bench: the accelerator of cd_config_pkg with a memory; each pulse of go_i is one whole run.
module cd_bench (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        go_i,              // pulse: open the memory file, start the program
  input  logic [31:0] job_i,             // number of the memory file
  input  logic [4:0][39:0] bases_i,      // of the program, weights, activations, inputs, outputs
  input  logic [31:0] latency_i,
  input  logic [31:0] bytes_per_cycle_i,
  input  logic [7:0]  stall_i,
  input  logic [31:0] seed_i,
  input  logic [63:0] limit_i,           // watchdog, cycles
  output logic        finished_o         // the run is over and its report written
);

  import cd_config_pkg::*;
  import "DPI-C" function void cd_memory_open(input int job);
  import "DPI-C" function void cd_memory_close(input int status, input longint cycles);
  import "DPI-C" function void cd_memory_count(input int number, input longint value);
  import "DPI-C" function void cd_memory_event(input int tag, input longint cycles, input int compute_busy,
                                               input int load_wait, input int compute_wait, input int drain_wait,
                                               input int store_wait);

  logic              awvalid, awready, wvalid, wready, wlast, bvalid, bready;
  logic              arvalid, arready, rvalid, rready, rlast;
  logic [39:0]       awaddr, araddr;
  logic [7:0]        awlen, arlen;
  logic [2:0]        awsize, arsize;
  logic [0:0]        awid, arid;
  logic [3:0]        awcache, arcache;
  logic [2:0]        awprot, arprot;
  logic [1:0]        awburst, arburst, bresp, rresp;
  logic [15:0]       awuser, aruser;
  logic [AxiW-1:0]   wdata, rdata;
  logic [AxiW/8-1:0] wstrb;
  logic              irq, event_valid;
  logic [15:0]       event_tag;
  logic [63:0]       event_cycles;
  logic [4:0][31:0]  event_counters;

  // ---- The processor's side: addresses, start, wait for the interrupt, read the status ----
  typedef enum logic [2:0] {Idle, Base, Start, Run, Count, Status} state_e;
  state_e      state_q;
  logic        s_awvalid, s_awready, s_wvalid, s_wready, s_bvalid, s_arvalid, s_arready, s_rvalid;
  logic [7:0]  s_awaddr, s_araddr;
  logic [4:0]  read_q;   // half of a counter, lower halves first
  logic [31:0] lower_q;
  logic [31:0] s_wdata, s_rdata;
  logic [1:0]  s_bresp, s_rresp;
  logic [63:0] watchdog_q;
  logic        asked_q;
  logic [3:0]  base_q;   // half of a base register, lower halves first

  always_comb begin
    unique case (state_q)
      Base: begin
        s_awaddr = (base_q[3:1] == 3'd0 ? 8'h10 : 8'h48 + {2'b00, base_q[3:1], 3'b000}) | {5'd0, base_q[0], 2'b00};
        s_wdata  = base_q[0] ? {24'd0, bases_i[base_q[3:1]][39:32]} : bases_i[base_q[3:1]][31:0];
      end
      default: {s_awaddr, s_wdata} = {8'h00, 32'd7};   // start, clear and enable the interrupt
    endcase
  end
  assign s_awvalid = (state_q == Base || state_q == Start) && !asked_q;
  assign s_wvalid  = s_awvalid;
  assign s_araddr  = state_q == Count ? {1'b1, read_q, 2'b00} : 8'h04;
  assign s_arvalid = (state_q == Count || state_q == Status) && !asked_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q    <= Idle;
      asked_q    <= 1'b0;
      base_q     <= '0;
      read_q     <= '0;
      lower_q    <= '0;
      watchdog_q <= '0;
      finished_o <= 1'b0;
    end else begin
      finished_o <= 1'b0;
      watchdog_q <= watchdog_q + 64'd1;
      if (event_valid) begin
        cd_memory_event(int'(event_tag), longint'(event_cycles), int'(event_counters[0]), int'(event_counters[1]),
                        int'(event_counters[2]), int'(event_counters[3]), int'(event_counters[4]));
      end
      unique case (state_q)
        Idle: if (go_i) begin
          cd_memory_open(int'(job_i));
          state_q <= Base;
          base_q  <= '0;
        end
        Base, Start: begin
          if (s_awready) asked_q <= 1'b1;
          if (s_bvalid) begin
            asked_q    <= 1'b0;
            watchdog_q <= '0;
            base_q     <= base_q + 4'd1;
            state_q    <= state_q == Start ? Run : base_q == 4'd9 ? Start : Base;
          end
        end
        Run: begin
          read_q <= '0;
          if (irq) state_q <= Count;
          else if (watchdog_q >= limit_i) begin
            cd_memory_close(-1, longint'(event_cycles));
            $fatal(1, "cd_bench: the watchdog found the accelerator still running");
          end
        end
        Count: begin
          if (s_arready) asked_q <= 1'b1;
          if (s_rvalid) begin
            asked_q <= 1'b0;
            lower_q <= s_rdata;
            read_q  <= read_q + 5'd1;
            if (read_q[0]) cd_memory_count(int'(read_q[4:1]), longint'({s_rdata, lower_q}));
            if (read_q == 5'd25) state_q <= Status;
          end
        end
        Status: begin
          if (s_arready) asked_q <= 1'b1;
          if (s_rvalid) begin
            asked_q    <= 1'b0;
            cd_memory_close(int'(s_rdata), longint'(event_cycles));
            finished_o <= 1'b1;
            state_q    <= Idle;
          end
        end
        default: state_q <= Idle;
      endcase
    end
  end

  cd_top u_accelerator (
    .clk_i,
    .rst_ni,
    .irq_o           (irq),
    .s_axil_awvalid_i(s_awvalid),
    .s_axil_awready_o(s_awready),
    .s_axil_awaddr_i (s_awaddr),
    .s_axil_wvalid_i (s_wvalid),
    .s_axil_wready_o (s_wready),
    .s_axil_wdata_i  (s_wdata),
    .s_axil_wstrb_i  (4'hf),
    .s_axil_bvalid_o (s_bvalid),
    .s_axil_bready_i (1'b1),
    .s_axil_bresp_o  (s_bresp),
    .s_axil_arvalid_i(s_arvalid),
    .s_axil_arready_o(s_arready),
    .s_axil_araddr_i (s_araddr),
    .s_axil_rvalid_o (s_rvalid),
    .s_axil_rready_i (1'b1),
    .s_axil_rdata_o  (s_rdata),
    .s_axil_rresp_o  (s_rresp),
    .m_axi_awvalid_o (awvalid),
    .m_axi_awready_i (awready),
    .m_axi_awid_o    (awid),
    .m_axi_awcache_o (awcache),
    .m_axi_awprot_o  (awprot),
    .m_axi_awaddr_o  (awaddr),
    .m_axi_awlen_o   (awlen),
    .m_axi_awsize_o  (awsize),
    .m_axi_awburst_o (awburst),
    .m_axi_awuser_o  (awuser),
    .m_axi_wvalid_o  (wvalid),
    .m_axi_wready_i  (wready),
    .m_axi_wdata_o   (wdata),
    .m_axi_wstrb_o   (wstrb),
    .m_axi_wlast_o   (wlast),
    .m_axi_bvalid_i  (bvalid),
    .m_axi_bready_o  (bready),
    .m_axi_bid_i     (1'b0),
    .m_axi_bresp_i   (bresp),
    .m_axi_arvalid_o (arvalid),
    .m_axi_arready_i (arready),
    .m_axi_arid_o    (arid),
    .m_axi_arcache_o (arcache),
    .m_axi_arprot_o  (arprot),
    .m_axi_araddr_o  (araddr),
    .m_axi_arlen_o   (arlen),
    .m_axi_arsize_o  (arsize),
    .m_axi_arburst_o (arburst),
    .m_axi_aruser_o  (aruser),
    .m_axi_rvalid_i  (rvalid),
    .m_axi_rready_o  (rready),
    .m_axi_rdata_i   (rdata),
    .m_axi_rresp_i   (rresp),
    .m_axi_rid_i     (1'b0),
    .m_axi_rlast_i   (rlast),
    .event_valid_o   (event_valid),
    .event_tag_o     (event_tag),
    .event_cycles_o  (event_cycles),
    .event_counters_o(event_counters)
  );

  cd_dram #(
    .AxiW(AxiW)
  ) u_dram (
    .clk_i,
    .rst_ni,
    .latency_i,
    .bytes_per_cycle_i,
    .stall_i,
    .seed_i,
    .awvalid_i(awvalid),
    .awready_o(awready),
    .awaddr_i (awaddr),
    .awlen_i  (awlen),
    .awuser_i (awuser),
    .wvalid_i (wvalid),
    .wready_o (wready),
    .wdata_i  (wdata),
    .wstrb_i  (wstrb),
    .wlast_i  (wlast),
    .bvalid_o (bvalid),
    .bready_i (bready),
    .bresp_o  (bresp),
    .arvalid_i(arvalid),
    .arready_o(arready),
    .araddr_i (araddr),
    .arlen_i  (arlen),
    .aruser_i (aruser),
    .rvalid_o (rvalid),
    .rready_i (rready),
    .rdata_o  (rdata),
    .rresp_o  (rresp),
    .rlast_o  (rlast)
  );

  logic unused_bench;
  assign unused_bench = ^{awid, arid, awcache, arcache, awprot, arprot, awsize, awburst, arsize, arburst, s_wready, s_bresp, s_rresp};

endmodule
