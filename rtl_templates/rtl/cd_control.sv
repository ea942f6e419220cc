// What runs the accelerator: registers, the sequencer, and a queue for each unit with the tokens between them.
module cd_control
  import cd_types_pkg::*;
#(
  parameter int unsigned ArrayKind  = 0,
  parameter int unsigned DesignHash = 0,
  parameter int unsigned Geometry   = 0,    // registers of these names
  parameter int unsigned Port       = 0,
  parameter int unsigned QueueDepth = 8,
  parameter int unsigned Chunk      = 16,   // descriptors of a chunk, a power of two
  parameter int unsigned AxiBytes   = 16,
  parameter int unsigned N          = 16,
  parameter int unsigned ActBytes   = 16,
  parameter int unsigned WgtBytes   = 16,
  parameter int unsigned IbWords    = 4096, // words of each memory, both halves together
  parameter int unsigned WbWords    = 4096,
  parameter int unsigned PbChannels = 512,
  parameter int unsigned ObWords    = 1024,
  parameter int unsigned AbWords    = 512,  // of one half
  parameter int unsigned PpuLanes   = 4,
  parameter int unsigned Cols       = 16,
  parameter bit          Nonlinear  = 1'b0,
  parameter int unsigned TableWords = 0,
  parameter int unsigned Packing    = 1,
  parameter bit          DualRate   = 1'b0,
  parameter bit          TapSkip    = 1'b0,
  parameter bit          Unaligned  = 1'b1
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  output logic              core_rst_no,       // for everything but the registers
  output logic              irq_o,
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
  output logic [63:0]       event_cycles_o,    // since start
  output logic [4:0][31:0]  event_counters_o,  // compute busy; load, compute, drain, store waiting

  // Program memory, filled by the load unit
  input  logic              pm_we_i,
  input  logic [19:0]       pm_addr_i,
  input  logic [8*DescriptorBytes-1:0] pm_data_i,
  input  logic              chunk_ready_i,     // pulse
  input  logic              bus_error_i,       // pulse
  input  logic [31:0]       bus_index_i,       // descriptor and address of the burst that failed
  input  logic [39:0]       bus_addr_i,

  // Units, in the order of unit_e: the head of each one's queue, and whether its tokens were there a cycle ago
  output logic [3:0]        valid_o,
  output logic [3:0]        ok_o,              // only with valid_o
  output token_t [3:0]      token_o,
  output dma_t              load_o,
  output compute_t          compute_o,
  output drain_t            drain_o,
  output dma_t              store_o,
  output logic [20:0]       store_words_o,
  output logic [31:0]       load_index_o,      // places in the program
  output logic [31:0]       store_index_o,
  input  logic [3:0]        start_i,           // takes the command and its tokens
  input  logic [3:0]        busy_i,
  input  logic [3:0][15:0]  signal_i           // pulses: tokens of finished commands
);

  // ---- Registers and sequencer ----
  logic        start, running, clear, flush, done, idle;
  error_e      error, abort_code;
  logic        abort, soft_reset;
  bases_t      bases;
  logic [31:0] image;
  localparam int unsigned CountW = 40;
  logic [7:0][CountW-1:0] account;
  logic [31:0] error_index, index;
  logic [39:0] error_addr;
  logic [4:0]  count;

  cd_csr #(
    .ArrayKind (8'(ArrayKind)),
    .DesignHash(32'(DesignHash)),
    .Geometry  (32'(Geometry)),
    .Port      (32'(Port)),
    .CountW    (CountW)
  ) u_csr (
    .clk_i,
    .rst_ni,
    .s_awvalid_i   (s_axil_awvalid_i),
    .s_awready_o   (s_axil_awready_o),
    .s_awaddr_i    (s_axil_awaddr_i),
    .s_wvalid_i    (s_axil_wvalid_i),
    .s_wready_o    (s_axil_wready_o),
    .s_wdata_i     (s_axil_wdata_i),
    .s_wstrb_i     (s_axil_wstrb_i),
    .s_bvalid_o    (s_axil_bvalid_o),
    .s_bready_i    (s_axil_bready_i),
    .s_bresp_o     (s_axil_bresp_o),
    .s_arvalid_i   (s_axil_arvalid_i),
    .s_arready_o   (s_axil_arready_o),
    .s_araddr_i    (s_axil_araddr_i),
    .s_rvalid_o    (s_axil_rvalid_o),
    .s_rready_i    (s_axil_rready_i),
    .s_rdata_o     (s_axil_rdata_o),
    .s_rresp_o     (s_axil_rresp_o),
    .start_o       (start),
    .bases_o       (bases),
    .image_o       (image),
    .abort_o       (abort),
    .abort_code_o  (abort_code),
    .reset_o       (soft_reset),
    .running_i     (running),
    .done_i        (done),
    .error_i       (error),
    .error_index_i (error_index),
    .error_addr_i  (error_addr),
    .count_i       (count),
    .account_i     (account),
    .cycles_o      (event_cycles_o),
    .counters_o    (event_counters_o),
    .irq_o
  );

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) core_rst_no <= 1'b0;
    else core_rst_no <= !soft_reset;
  end

  token_t      token;
  dma_t        load, store;
  compute_t    compute;
  drain_t      drain;
  logic [20:0] store_words;
  logic [3:0]  push, full, empty;

  cd_sequencer #(
    .Chunk     (Chunk),
    .AxiBytes  (AxiBytes),
    .N         (N),
    .ActBytes  (ActBytes),
    .WgtBytes  (WgtBytes),
    .IbWords   (IbWords),
    .WbWords   (WbWords),
    .PbChannels(PbChannels),
    .RbWords   (ObWords),
    .ObWords   (ObWords),
    .AbWords   (AbWords),
    .PpuLanes  (PpuLanes),
    .Cols      (Cols),
    .Nonlinear (Nonlinear),
    .TableWords(TableWords),
    .Packing   (Packing),
    .DualRate  (DualRate),
    .TapSkip   (TapSkip),
    .Unaligned (Unaligned),
    .DesignHash(DesignHash)
  ) u_sequencer (
    .clk_i,
    .rst_ni        (core_rst_no),
    .start_i       (start),
    .bases_i       (bases),
    .image_i       (image),
    .abort_i       (abort),
    .abort_code_i  (abort_code),
    .running_o     (running),
    .clear_o       (clear),
    .flush_o       (flush),
    .done_o        (done),
    .error_o       (error),
    .error_index_o (error_index),
    .error_addr_o  (error_addr),
    .index_o       (index),
    .chunk_ready_i (chunk_ready_i),
    .bus_error_i   (bus_error_i),
    .bus_index_i   (bus_index_i),
    .bus_addr_i    (bus_addr_i),
    .idle_i        (idle),
    .pm_we_i       (pm_we_i),
    .pm_addr_i     (pm_addr_i),
    .pm_data_i     (pm_data_i),
    .token_o       (token),
    .load_push_o   (push[UnitLoad]),
    .load_o        (load),
    .load_full_i   (full[UnitLoad]),
    .compute_push_o(push[UnitCompute]),
    .compute_o     (compute),
    .compute_full_i(full[UnitCompute]),
    .drain_push_o  (push[UnitDrain]),
    .drain_o       (drain),
    .drain_full_i  (full[UnitDrain]),
    .store_push_o  (push[UnitStore]),
    .store_o       (store),
    .store_words_o (store_words),
    .store_full_i  (full[UnitStore])
  );

  // ---- Queues: what decides whether a head may start lies in registers ----
  compute_e compute_op;
  compute_t compute_head;
  always_comb begin
    compute_o    = compute_head;
    compute_o.op = compute_op;
  end

  cd_fifo #(
    .Width($bits(token_t) + $bits(dma_t) + 32),
    .Depth(QueueDepth),
    .HeadW($bits(token_t))
  ) u_load_queue (
    .clk_i,
    .rst_ni (core_rst_no),
    .flush_i(flush),
    .push_i (push[UnitLoad]),
    .data_i ({token, load, index}),
    .full_o (full[UnitLoad]),
    .pop_i  (start_i[UnitLoad]),
    .data_o ({token_o[UnitLoad], load_o, load_index_o}),
    .empty_o(empty[UnitLoad])
  );
  cd_fifo #(
    .Width($bits(token_t) + $bits(compute_e) + $bits(compute_t)),
    .Depth(QueueDepth),
    .HeadW($bits(token_t) + $bits(compute_e))
  ) u_compute_queue (
    .clk_i,
    .rst_ni (core_rst_no),
    .flush_i(flush),
    .push_i (push[UnitCompute]),
    .data_i ({token, compute.op, compute}),
    .full_o (full[UnitCompute]),
    .pop_i  (start_i[UnitCompute]),
    .data_o ({token_o[UnitCompute], compute_op, compute_head}),
    .empty_o(empty[UnitCompute])
  );
  cd_fifo #(
    .Width($bits(token_t) + $bits(drain_t)),
    .Depth(QueueDepth),
    .HeadW($bits(token_t))
  ) u_drain_queue (
    .clk_i,
    .rst_ni (core_rst_no),
    .flush_i(flush),
    .push_i (push[UnitDrain]),
    .data_i ({token, drain}),
    .full_o (full[UnitDrain]),
    .pop_i  (start_i[UnitDrain]),
    .data_o ({token_o[UnitDrain], drain_o}),
    .empty_o(empty[UnitDrain])
  );
  cd_fifo #(
    .Width($bits(token_t) + $bits(dma_t) + 53),
    .Depth(QueueDepth),
    .HeadW($bits(token_t))
  ) u_store_queue (
    .clk_i,
    .rst_ni (core_rst_no),
    .flush_i(flush),
    .push_i (push[UnitStore]),
    .data_i ({token, store, store_words, index}),
    .full_o (full[UnitStore]),
    .pop_i  (start_i[UnitStore]),
    .data_o ({token_o[UnitStore], store_o, store_words_o, store_index_o}),
    .empty_o(empty[UnitStore])
  );

  // ---- Tokens ----
  logic [3:0][15:0] take;
  logic [15:0]      ready;

  cd_tokens u_tokens (
    .clk_i,
    .rst_ni (core_rst_no),
    .clear_i (clear),
    .signal_i,
    .take_i  (take),
    .ready_o (ready)
  );

  // What a head waits for is compared in a cycle of its own. Nobody else takes these tokens: they are there in the next.
  always_ff @(posedge clk_i or negedge core_rst_no) begin
    if (!core_rst_no) ok_o <= '0;
    else begin
      for (int unsigned u = 0; u < 4; u++) begin
        ok_o[u] <= valid_o[u] && !start_i[u] && !flush && (token_o[u].wait_for & ~ready) == '0;
      end
    end
  end
  always_ff @(posedge clk_i or negedge core_rst_no) begin
    if (!core_rst_no) idle <= 1'b0;
    else idle <= empty == '1 && busy_i == '0;
  end
  always_comb begin
    for (int unsigned u = 0; u < 4; u++) take[u] = start_i[u] ? token_o[u].wait_for : '0;
  end
  assign valid_o = ~empty;
  assign count   = {~empty[UnitStore] & ~ok_o[UnitStore], ~empty[UnitDrain] & ~ok_o[UnitDrain],
                    ~empty[UnitCompute] & ~ok_o[UnitCompute], ~empty[UnitLoad] & ~ok_o[UnitLoad], busy_i[UnitCompute]};


  cd_account #(
    .Width(CountW)
  ) u_account (
    .clk_i,
    .rst_ni         (core_rst_no),
    .clear_i        (clear),
    .running_i      (running),
    .busy_i         (busy_i[UnitCompute]),
    .compute_start_i(start_i[UnitCompute]),
    .compute_op_i   (compute_o.op),
    .compute_token_i(token_o[UnitCompute]),
    .compute_valid_i(valid_o[UnitCompute]),
    .drain_start_i  (start_i[UnitDrain]),
    .drain_token_i  (token_o[UnitDrain]),
    .drain_valid_i  (valid_o[UnitDrain]),
    .drain_busy_i   (busy_i[UnitDrain]),
    .ready_i        (ready),
    .counters_o     (account)
  );

endmodule
