// The accelerator: AXI4-Lite registers, an AXI4 master to memory, an interrupt. See docs/hardware.md.
module cd_accelerator
  import cd_types_pkg::*;
#(
  parameter int unsigned ArrayKind   = 0,     // the order of accel_models' ArrayKind
  parameter int unsigned Rows        = 16,
  parameter int unsigned Cols        = 16,
  parameter int unsigned ActW        = 8,
  parameter int unsigned WgtW        = 8,
  parameter int unsigned AccW        = 32,
  parameter int unsigned IbWords     = 4096,  // input buffer, both halves
  parameter int unsigned WbWords     = 4096,  // weight buffer, both halves
  parameter int unsigned AbWords     = 512,   // accumulators, one half
  parameter int unsigned ObWords     = 1024,  // output buffer and residual buffer, both halves
  parameter int unsigned PbChannels  = 512,   // parameter buffer, both halves
  parameter int unsigned PpuLanes    = 4,
  parameter int unsigned NonlinearLanes = 0,  // channels a cycle in softmax, layer norm and GELU; 0: no such unit
  parameter int unsigned ActTables   = 0,     // 1: tables of activation functions in post-processing
  parameter int unsigned VectorTaps  = 1,     // taps a cycle in the vector unit
  parameter int unsigned AccStages   = 0,     // pipeline registers in front of the accumulators
  parameter int unsigned PpuStages   = 0,     // and behind post-processing
  parameter int unsigned Packing     = 1,     // most weights that share the place of one: 1, 2 or 4
  parameter bit          DualRate    = 1'b0,  // two products with weights of half the width in the place of one
  parameter bit          TapSkip     = 1'b0,  // filter taps that a block of channels does not use take no cycle
  parameter int unsigned AxiW        = 128,
  parameter bit          Unaligned   = 1'b1,  // transfers may begin at any byte; 0: between words or beats
  parameter int unsigned MaxBurst    = 16,    // beats; 16 suits AXI3 too
  parameter int unsigned Outstanding = 16,    // bursts in flight in each direction
  parameter int unsigned Chunk       = 16,    // descriptors fetched at a time
  parameter int unsigned QueueDepth  = 8,
  parameter int unsigned DesignHash  = 0      // a number of all these, which programs name
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  output logic              irq_o,

  // AXI4-Lite slave
  input  logic              s_axil_awvalid_i,
  output logic              s_axil_awready_o,
  input  logic [7:0]        s_axil_awaddr_i,
  input  logic              s_axil_wvalid_i,
  output logic              s_axil_wready_o,
  input  logic [31:0]       s_axil_wdata_i,
  input  logic [3:0]        s_axil_wstrb_i,
  output logic              s_axil_bvalid_o,
  input  logic              s_axil_bready_i,
  output logic [1:0]        s_axil_bresp_o,
  input  logic              s_axil_arvalid_i,
  output logic              s_axil_arready_o,
  input  logic [7:0]        s_axil_araddr_i,
  output logic              s_axil_rvalid_o,
  input  logic              s_axil_rready_i,
  output logic [31:0]       s_axil_rdata_o,
  output logic [1:0]        s_axil_rresp_o,

  // AXI4 master
  output logic              m_axi_awvalid_o,
  input  logic              m_axi_awready_i,
  output logic [39:0]       m_axi_awaddr_o,
  output logic [7:0]        m_axi_awlen_o,
  output logic [2:0]        m_axi_awsize_o,
  output logic [1:0]        m_axi_awburst_o,
  output logic [15:0]       m_axi_awuser_o,   // the layer's number
  output logic              m_axi_wvalid_o,
  input  logic              m_axi_wready_i,
  output logic [AxiW-1:0]   m_axi_wdata_o,
  output logic [AxiW/8-1:0] m_axi_wstrb_o,
  output logic              m_axi_wlast_o,
  input  logic              m_axi_bvalid_i,
  output logic              m_axi_bready_o,
  input  logic [1:0]        m_axi_bresp_i,
  output logic              m_axi_arvalid_o,
  input  logic              m_axi_arready_i,
  output logic [39:0]       m_axi_araddr_o,
  output logic [7:0]        m_axi_arlen_o,
  output logic [2:0]        m_axi_arsize_o,
  output logic [1:0]        m_axi_arburst_o,
  output logic [15:0]       m_axi_aruser_o,   // the layer's number
  input  logic              m_axi_rvalid_i,
  output logic              m_axi_rready_o,
  input  logic [AxiW-1:0]   m_axi_rdata_i,
  input  logic [1:0]        m_axi_rresp_i,
  input  logic              m_axi_rlast_i,

  // Trace: a layer's last result is in memory.
  output logic              event_valid_o,
  output logic [15:0]       event_tag_o,
  output logic [63:0]       event_cycles_o,   // since start
  output logic [4:0][31:0]  event_counters_o  // compute busy; load, compute, drain, store waiting
);

  localparam int unsigned Outs     = DualRate ? 2 * Cols : Cols;
  localparam int unsigned N        = Rows > Outs ? Rows : Outs;
  localparam int unsigned ActBytes = N * ActW / 8;
  localparam int unsigned WgtBytes = Cols * WgtW / 8;
  localparam int unsigned AxiBytes = AxiW / 8;
  localparam int unsigned MaxBytes = load_bytes(ActBytes, WgtBytes, AxiBytes);
  localparam int unsigned IbAw     = $clog2(IbWords);
  localparam int unsigned WbAw     = $clog2(WbWords);
  localparam int unsigned AbAw     = $clog2(AbWords) + 1;

  function automatic bit is_size(input int unsigned value);
    return value == 4 || value == 8 || value == 16 || value == 32;
  endfunction
  function automatic bit is_width(input int unsigned value);
    return value == 4 || value == 8 || value == 16;
  endfunction

  if (!is_size(Rows) || !is_size(Cols)) begin : gen_check_size
    $error("cd_accelerator: Rows and Cols must be 4, 8, 16 or 32");
  end
  if (!is_width(ActW) || !is_width(WgtW) || !(AccW == 32 || AccW == 48)) begin : gen_check_width
    $error("cd_accelerator: ActW and WgtW must be 4, 8 or 16, AccW 32 or 48");
  end
  if (NonlinearLanes > N || (NonlinearLanes > 0 && ActW != WgtW)) begin : gen_check_nonlinear
    $error("cd_accelerator: NonlinearLanes must be at most a word's lanes, and ActW equal WgtW with it");
  end
  if (ActTables > 1 || (ActTables == 1 && ActW > 8)) begin : gen_check_tables
    $error("cd_accelerator: ActTables must be 0 or 1, and 1 needs ActW of 8 or less");
  end
  if (AxiW < 32 || AxiW > 512 || 2 ** $clog2(AxiW) != AxiW || MaxBurst * AxiW / 8 > 4096) begin : gen_check_bus
    $error("cd_accelerator: AxiW must be 32, 64, ..., 512, a burst at most 4 KiB");
  end
  if (IbWords > 2 ** 20 || WbWords > 2 ** 20 || AbWords > 2 ** 19 || ObWords > 2 ** 20 || AbWords < 2)
  begin : gen_check_depth
    $error("cd_accelerator: a buffer is deeper than 2^20 words");
  end

  // ---- Control ----
  logic             core_rst_n;
  logic [3:0]       cmd_valid, cmd_ok, cmd_start, busy;    // by unit
  token_t [3:0]     token;
  logic [3:0][15:0] signal;
  dma_t             load_cmd, store_cmd;
  compute_t         compute_cmd;
  drain_t           drain_cmd;
  logic [20:0]      store_words;
  logic             chunk_ready, load_bus_error, store_bus_error;
  logic [31:0]      load_index, store_index, load_error_index, store_error_index;
  logic [39:0]      load_error_addr, store_error_addr;

  logic                  wr_valid;                          // what the load unit writes
  buffer_e               wr_target;
  logic [19:0]           wr_addr;
  logic [MaxBytes*8-1:0] wr_data;

  cd_control #(
    .ArrayKind (ArrayKind),
    .DesignHash(DesignHash),
    .Geometry  (WgtW << 24 | ActW << 16 | Cols << 8 | Rows),
    .Port      (MaxBurst << 16 | AxiW),
    .QueueDepth(QueueDepth),
    .Chunk     (Chunk),
    .AxiBytes  (AxiBytes),
    .N         (N),
    .ActBytes  (ActBytes),
    .WgtBytes  (WgtBytes),
    .IbWords   (IbWords),
    .WbWords   (WbWords),
    .PbChannels(PbChannels),
    .ObWords   (ObWords),
    .AbWords   (AbWords),
    .PpuLanes  (PpuLanes),
    .Cols      (Cols),
    .Nonlinear (NonlinearLanes > 0),
    .TableWords(ActTables > 0 ? 2 ** ActW / 8 : 0),
    .Packing   (Packing),
    .DualRate  (DualRate),
    .TapSkip   (TapSkip),
    .Unaligned (Unaligned)
  ) u_control (
    .core_rst_no  (core_rst_n),
    .pm_we_i      (wr_valid && wr_target == BufProgram),
    .pm_addr_i    (wr_addr),
    .pm_data_i    (wr_data[8*DescriptorBytes-1:0]),
    .chunk_ready_i(chunk_ready),
    .bus_error_i  (load_bus_error || store_bus_error),
    .bus_index_i  (load_bus_error ? load_error_index : store_error_index),
    .bus_addr_i   (load_bus_error ? load_error_addr : store_error_addr),
    .valid_o      (cmd_valid),
    .ok_o         (cmd_ok),
    .token_o      (token),
    .load_o       (load_cmd),
    .compute_o    (compute_cmd),
    .drain_o      (drain_cmd),
    .store_o      (store_cmd),
    .store_words_o(store_words),
    .load_index_o (load_index),
    .store_index_o(store_index),
    .start_i      (cmd_start),
    .busy_i       (busy),
    .signal_i     (signal),
    .*                                   // clock, reset, registers, interrupt, counters
  );
  logic unused_control;                  // beats wider than any word
  assign unused_control = ^{token, wr_data};

  // ---- Load ----
  cd_load #(
    .AxiBytes   (AxiBytes),
    .MaxBurst   (MaxBurst),
    .Outstanding(Outstanding),
    .ActBytes   (ActBytes),
    .WgtBytes   (WgtBytes),
    .N          (N),
    .Cols       (Cols),
    .Transposer (NonlinearLanes > 0),
    .Unaligned  (Unaligned)
  ) u_load (
    .clk_i,
    .rst_ni     (core_rst_n),
    .cmd_valid_i(cmd_valid[UnitLoad]),
    .cmd_i      (load_cmd),
    .signal_i   (token[UnitLoad].signal),
    .tag_i      (token[UnitLoad].tag),
    .index_i    (load_index),
    .tokens_ok_i(cmd_ok[UnitLoad]),
    .start_o    (cmd_start[UnitLoad]),
    .signal_o   (signal[UnitLoad]),
    .program_o  (chunk_ready),
    .busy_o     (busy[UnitLoad]),
    .bus_error_o(load_bus_error),
    .error_index_o(load_error_index),
    .error_addr_o(load_error_addr),
    .wr_valid_o (wr_valid),
    .wr_target_o(wr_target),
    .wr_addr_o  (wr_addr),
    .wr_data_o  (wr_data),
    .arvalid_o  (m_axi_arvalid_o),
    .arready_i  (m_axi_arready_i),
    .araddr_o   (m_axi_araddr_o),
    .arlen_o    (m_axi_arlen_o),
    .aruser_o   (m_axi_aruser_o),
    .rvalid_i   (m_axi_rvalid_i),
    .rready_o   (m_axi_rready_o),
    .rdata_i    (m_axi_rdata_i),
    .rresp_i    (m_axi_rresp_i),
    .rlast_i    (m_axi_rlast_i)
  );
  assign m_axi_arsize_o  = 3'($clog2(AxiBytes));
  assign m_axi_arburst_o = 2'b01;

  // ---- Buffers ----
  logic                  ib_re, ib_pair, wb_re, rb_re, ob_re, ob_we;
  logic [IbAw-1:0]       ib_addr;
  logic [WbAw-1:0]       wb_addr;
  logic [19:0]           rb_addr, ob_raddr, ob_waddr;
  logic [ActBytes*8-1:0] ib_data, ib_next, rb_data, ob_rdata, ob_wdata;
  logic [WgtBytes*8-1:0] wb_data;

  cd_buffers #(
    .ActBytes(ActBytes),
    .WgtBytes(WgtBytes),
    .IbWords (IbWords),
    .WbWords (WbWords),
    .ObWords (ObWords),
    .Pair    (ArrayKind == 2)
  ) u_buffers (
    .clk_i,
    .wr_valid_i (wr_valid),
    .wr_target_i(wr_target),
    .wr_addr_i  (wr_addr),
    .wr_act_i   (wr_data[ActBytes*8-1:0]),
    .wr_wgt_i   (wr_data[WgtBytes*8-1:0]),
    .ib_re_i    (ib_re),
    .ib_pair_i  (ib_pair),
    .ib_addr_i  (ib_addr),
    .ib_data_o  (ib_data),
    .ib_next_o  (ib_next),
    .wb_re_i    (wb_re),
    .wb_addr_i  (wb_addr),
    .wb_data_o  (wb_data),
    .rb_re_i    (rb_re),
    .rb_addr_i  (rb_addr),
    .rb_data_o  (rb_data),
    .ob_we_i    (ob_we),
    .ob_waddr_i (ob_waddr),
    .ob_wdata_i (ob_wdata),
    .ob_re_i    (ob_re),
    .ob_raddr_i (ob_raddr),
    .ob_rdata_o (ob_rdata)
  );

  // ---- Compute ----
  logic              acc_valid, acc_first, acc_max, ab_re;
  logic [AbAw-1:0]   acc_addr, ab_addr;
  logic [N-1:0]      acc_mask;
  logic [N*AccW-1:0] acc_data, ab_data;

  cd_compute #(
    .ArrayKind(ArrayKind),
    .Rows     (Rows),
    .Cols     (Cols),
    .ActW     (ActW),
    .WgtW     (WgtW),
    .AccW     (AccW),
    .IbAw     (IbAw),
    .WbAw     (WbAw),
    .AbAw     (AbAw),
    .NonlinearLanes(NonlinearLanes),
    .VectorTaps(VectorTaps),
    .AccStages(AccStages),
    .Packing  (Packing),
    .DualRate (DualRate),
    .TapSkip  (TapSkip)
  ) u_compute (
    .clk_i,
    .rst_ni     (core_rst_n),
    .cmd_valid_i(cmd_valid[UnitCompute]),
    .cmd_i      (compute_cmd),
    .signal_i   (token[UnitCompute].signal),
    .tokens_ok_i(cmd_ok[UnitCompute]),
    .start_o    (cmd_start[UnitCompute]),
    .signal_o   (signal[UnitCompute]),
    .busy_o     (busy[UnitCompute]),
    .ib_re_o    (ib_re),
    .ib_pair_o  (ib_pair),
    .ib_addr_o  (ib_addr),
    .ib_data_i  (ib_data),
    .ib_next_i  (ib_next),
    .wb_re_o    (wb_re),
    .wb_addr_o  (wb_addr),
    .wb_data_i  (wb_data),
    .acc_valid_o(acc_valid),
    .acc_first_o(acc_first),
    .acc_max_o  (acc_max),
    .acc_addr_o (acc_addr),
    .acc_mask_o (acc_mask),
    .acc_data_o (acc_data)
  );

  cd_acc_mem #(
    .N    (N),
    .AccW (AccW),
    .Depth(AbWords),
    .MaxW (ActW + WgtW)
  ) u_accumulators (
    .clk_i,
    .rst_ni     (core_rst_n),
    .valid_i(acc_valid),
    .first_i(acc_first),
    .max_i  (acc_max),
    .addr_i (acc_addr),
    .mask_i (acc_mask),
    .data_i (acc_data),
    .re_i   (ab_re),
    .raddr_i(ab_addr),
    .rdata_o(ab_data)
  );

  // ---- Drain ----
  cd_drain #(
    .N       (N),
    .PpuLanes(PpuLanes),
    .ActW    (ActW),
    .AccW    (AccW),
    .AbAw    (AbAw),
    .PbWords (PbChannels / PpuLanes),
    .Tables  (ActTables > 0),
    .Stages  (PpuStages)
  ) u_drain (
    .clk_i,
    .rst_ni     (core_rst_n),
    .cmd_valid_i(cmd_valid[UnitDrain]),
    .cmd_i      (drain_cmd),
    .signal_i   (token[UnitDrain].signal),
    .tokens_ok_i(cmd_ok[UnitDrain]),
    .start_o    (cmd_start[UnitDrain]),
    .signal_o   (signal[UnitDrain]),
    .busy_o     (busy[UnitDrain]),
    .ab_re_o    (ab_re),
    .ab_addr_o  (ab_addr),
    .ab_data_i  (ab_data),
    .rb_re_o    (rb_re),
    .rb_addr_o  (rb_addr),
    .rb_data_i  (rb_data),
    .ob_we_o    (ob_we),
    .ob_addr_o  (ob_waddr),
    .ob_data_o  (ob_wdata),
    .pb_we_i    (wr_valid && wr_target == BufParam),
    .tb_we_i    (wr_valid && wr_target == BufTable),
    .pb_addr_i  (wr_addr),
    .pb_data_i  (wr_data[127:0])
  );

  // ---- Store ----
  cd_store #(
    .AxiBytes   (AxiBytes),
    .MaxBurst   (MaxBurst),
    .Outstanding(Outstanding),
    .ActBytes   (ActBytes),
    .Unaligned  (Unaligned)
  ) u_store (
    .clk_i,
    .rst_ni     (core_rst_n),
    .cmd_valid_i(cmd_valid[UnitStore]),
    .cmd_i      (store_cmd),
    .words_i    (store_words),
    .signal_i   (token[UnitStore].signal),
    .tag_i      (token[UnitStore].tag),
    .mark_i     (token[UnitStore].mark),
    .index_i    (store_index),
    .tokens_ok_i(cmd_ok[UnitStore]),
    .start_o    (cmd_start[UnitStore]),
    .signal_o   (signal[UnitStore]),
    .mark_o     (event_valid_o),
    .mark_tag_o (event_tag_o),
    .busy_o     (busy[UnitStore]),
    .bus_error_o(store_bus_error),
    .error_index_o(store_error_index),
    .error_addr_o(store_error_addr),
    .ob_re_o    (ob_re),
    .ob_addr_o  (ob_raddr),
    .ob_data_i  (ob_rdata),
    .awvalid_o  (m_axi_awvalid_o),
    .awready_i  (m_axi_awready_i),
    .awaddr_o   (m_axi_awaddr_o),
    .awlen_o    (m_axi_awlen_o),
    .awuser_o   (m_axi_awuser_o),
    .wvalid_o   (m_axi_wvalid_o),
    .wready_i   (m_axi_wready_i),
    .wdata_o    (m_axi_wdata_o),
    .wstrb_o    (m_axi_wstrb_o),
    .wlast_o    (m_axi_wlast_o),
    .bvalid_i   (m_axi_bvalid_i),
    .bready_o   (m_axi_bready_o),
    .bresp_i    (m_axi_bresp_i)
  );
  assign m_axi_awsize_o  = 3'($clog2(AxiBytes));
  assign m_axi_awburst_o = 2'b01;

endmodule
