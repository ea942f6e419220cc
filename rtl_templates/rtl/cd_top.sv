// The accelerator of one design: cd_accelerator with the parameters of the generated cd_config_pkg.
//
// Transfers are answered in order: all have the one ID. AxiCache: 3 is normal memory, not cacheable, bufferable.
module cd_top #(
  parameter int unsigned        AxiIdW   = 1,
  parameter logic [AxiIdW-1:0]  AxiId    = '0,
  parameter logic [3:0]         AxiCache = 4'b0011,
  parameter logic [2:0]         AxiProt  = 3'b000
) (
  input  logic                           clk_i,
  input  logic                           rst_ni,
  output logic                           irq_o,
  input  logic                           s_axil_awvalid_i,
  output logic                           s_axil_awready_o,
  input  logic [7:0]                     s_axil_awaddr_i,
  input  logic                           s_axil_wvalid_i,
  output logic                           s_axil_wready_o,
  input  logic [31:0]                    s_axil_wdata_i,
  input  logic [3:0]                     s_axil_wstrb_i,
  output logic                           s_axil_bvalid_o,
  input  logic                           s_axil_bready_i,
  output logic [1:0]                     s_axil_bresp_o,
  input  logic                           s_axil_arvalid_i,
  output logic                           s_axil_arready_o,
  input  logic [7:0]                     s_axil_araddr_i,
  output logic                           s_axil_rvalid_o,
  input  logic                           s_axil_rready_i,
  output logic [31:0]                    s_axil_rdata_o,
  output logic [1:0]                     s_axil_rresp_o,
  output logic                           m_axi_awvalid_o,
  input  logic                           m_axi_awready_i,
  output logic [AxiIdW-1:0]              m_axi_awid_o,
  output logic [3:0]                     m_axi_awcache_o,
  output logic [2:0]                     m_axi_awprot_o,
  output logic [39:0]                    m_axi_awaddr_o,
  output logic [7:0]                     m_axi_awlen_o,
  output logic [2:0]                     m_axi_awsize_o,
  output logic [1:0]                     m_axi_awburst_o,
  output logic [15:0]                    m_axi_awuser_o,
  output logic                           m_axi_wvalid_o,
  input  logic                           m_axi_wready_i,
  output logic [cd_config_pkg::AxiW-1:0] m_axi_wdata_o,
  output logic [cd_config_pkg::AxiW/8-1:0] m_axi_wstrb_o,
  output logic                           m_axi_wlast_o,
  input  logic                           m_axi_bvalid_i,
  output logic                           m_axi_bready_o,
  input  logic [AxiIdW-1:0]              m_axi_bid_i,
  input  logic [1:0]                     m_axi_bresp_i,
  output logic                           m_axi_arvalid_o,
  input  logic                           m_axi_arready_i,
  output logic [AxiIdW-1:0]              m_axi_arid_o,
  output logic [3:0]                     m_axi_arcache_o,
  output logic [2:0]                     m_axi_arprot_o,
  output logic [39:0]                    m_axi_araddr_o,
  output logic [7:0]                     m_axi_arlen_o,
  output logic [2:0]                     m_axi_arsize_o,
  output logic [1:0]                     m_axi_arburst_o,
  output logic [15:0]                    m_axi_aruser_o,
  input  logic                           m_axi_rvalid_i,
  output logic                           m_axi_rready_o,
  input  logic [cd_config_pkg::AxiW-1:0] m_axi_rdata_i,
  input  logic [1:0]                     m_axi_rresp_i,
  input  logic [AxiIdW-1:0]              m_axi_rid_i,
  input  logic                           m_axi_rlast_i,
  output logic                           event_valid_o,
  output logic [15:0]                    event_tag_o,
  output logic [63:0]                    event_cycles_o,
  output logic [4:0][31:0]               event_counters_o
);

  import cd_config_pkg::*;

  assign m_axi_awid_o    = AxiId;
  assign m_axi_arid_o    = AxiId;
  assign m_axi_awcache_o = AxiCache;
  assign m_axi_arcache_o = AxiCache;
  assign m_axi_awprot_o  = AxiProt;
  assign m_axi_arprot_o  = AxiProt;
  logic unused_ids;
  assign unused_ids = ^{m_axi_bid_i, m_axi_rid_i};

  cd_accelerator #(
    .ArrayKind (ArrayKind),
    .Rows      (Rows),
    .Cols      (Cols),
    .ActW      (ActW),
    .WgtW      (WgtW),
    .AccW      (AccW),
    .IbWords   (IbWords),
    .WbWords   (WbWords),
    .AbWords   (AbWords),
    .ObWords   (ObWords),
    .PbChannels(PbChannels),
    .PpuLanes  (PpuLanes),
    .NonlinearLanes(NonlinearLanes),
    .ActTables (ActTables),
    .VectorTaps(VectorTaps),
    .AccStages (AccStages),
    .PpuStages (PpuStages),
    .AxiW      (AxiW),
    .MaxBurst  (MaxBurst),
    .Unaligned (Unaligned),
    .Packing   (Packing),
    .DualRate  (DualRate),
    .TapSkip   (TapSkip),
    .DesignHash(DesignHash)
  ) u_accelerator (.*);

endmodule
