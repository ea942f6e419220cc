// The checker on every accelerator of a simulation.
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
  .arvalid_i(m_axi_arvalid_o),
  .arready_i(m_axi_arready_i),
  .araddr_i (m_axi_araddr_o),
  .arlen_i  (m_axi_arlen_o),
  .arsize_i (m_axi_arsize_o),
  .arburst_i(m_axi_arburst_o),
  .rvalid_i (m_axi_rvalid_i),
  .rready_i (m_axi_rready_o),
  .rlast_i  (m_axi_rlast_i)
);
