// The checkers on every accelerator of a simulation.
bind cd_accelerator cd_axi_checker #(
  .AxiW    (AxiW),
  .MaxBurst(MaxBurst)
) u_axi_checker (
  .clk_i,
  .rst_ni   (core_rst_n),
  .awvalid_i(m_axi_awvalid_o),
  .awready_i(m_axi_awready_i),
  .awaddr_i (m_axi_awaddr_o),
  .awlen_i  (m_axi_awlen_o),
  .awsize_i (m_axi_awsize_o),
  .awburst_i(m_axi_awburst_o),
  .wvalid_i (m_axi_wvalid_o),
  .wready_i (m_axi_wready_i),
  .wdata_i  (m_axi_wdata_o),
  .wstrb_i  (m_axi_wstrb_o),
  .wlast_i  (m_axi_wlast_o),
  .bvalid_i (m_axi_bvalid_i),
  .bready_i (m_axi_bready_o),
  .bresp_i  (m_axi_bresp_i),
  .arvalid_i(m_axi_arvalid_o),
  .arready_i(m_axi_arready_i),
  .araddr_i (m_axi_araddr_o),
  .arlen_i  (m_axi_arlen_o),
  .arsize_i (m_axi_arsize_o),
  .arburst_i(m_axi_arburst_o),
  .rvalid_i (m_axi_rvalid_i),
  .rready_i (m_axi_rready_o),
  .rdata_i  (m_axi_rdata_i),
  .rresp_i  (m_axi_rresp_i),
  .rlast_i  (m_axi_rlast_i)
);

bind cd_accelerator cd_axil_checker u_axil_checker (
  .clk_i,
  .rst_ni,
  .awvalid_i(s_axil_awvalid_i),
  .awready_i(s_axil_awready_o),
  .awaddr_i (s_axil_awaddr_i),
  .wvalid_i (s_axil_wvalid_i),
  .wready_i (s_axil_wready_o),
  .wdata_i  (s_axil_wdata_i),
  .wstrb_i  (s_axil_wstrb_i),
  .bvalid_i (s_axil_bvalid_o),
  .bready_i (s_axil_bready_i),
  .bresp_i  (s_axil_bresp_o),
  .arvalid_i(s_axil_arvalid_i),
  .arready_i(s_axil_arready_o),
  .araddr_i (s_axil_araddr_i),
  .rvalid_i (s_axil_rvalid_o),
  .rready_i (s_axil_rready_i),
  .rdata_i  (s_axil_rdata_o),
  .rresp_i  (s_axil_rresp_o)
);

bind cd_tokens cd_token_checker u_token_checker (
  .clk_i,
  .rst_ni,
  .take_i,
  .ready_i(ready_o)
);
