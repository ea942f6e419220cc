// Registers on AXI4-Lite (32 bits, one access at a time).
//
//   0x00 CONTROL   write 1 to bit 0: start (ignored while busy); bit 1: clear the interrupt; bit 2: interrupt enable
//   0x04 STATUS    bit 0 busy, 1 done, 2 error, 3 interrupt; bits 11:8 error code (cd_types_pkg::error_e)
//   0x08 ERROR_AT  number of the descriptor at fault; all ones: the fetch of the first chunk
//   0x40 ERROR_ADDR_LO, 0x44 ERROR_ADDR_HI   of the burst that the bus answered with an error
//   0x10 PROGRAM_LO, 0x14 PROGRAM_HI   byte address of the program
//   0x18 CYCLES_LO, 0x1C CYCLES_HI     of the last or current run
//   0x20 COMPUTE_BUSY; 0x24 LOAD_WAIT, 0x28 COMPUTE_WAIT, 0x2C DRAIN_WAIT, 0x30 STORE_WAIT: cycles in which the unit had
//        a command and missed a token
//   0x3C IDENTITY  0xC0DE51 and the array kind
module cd_csr
  import cd_types_pkg::*;
#(
  parameter logic [7:0] ArrayKind = 8'd0
) (
  input  logic             clk_i,
  input  logic             rst_ni,

  input  logic             s_awvalid_i,
  output logic             s_awready_o,
  input  logic [7:0]       s_awaddr_i,
  input  logic             s_wvalid_i,
  output logic             s_wready_o,
  input  logic [31:0]      s_wdata_i,
  input  logic [3:0]       s_wstrb_i,
  output logic             s_bvalid_o,
  input  logic             s_bready_i,
  output logic [1:0]       s_bresp_o,
  input  logic             s_arvalid_i,
  output logic             s_arready_o,
  input  logic [7:0]       s_araddr_i,
  output logic             s_rvalid_o,
  input  logic             s_rready_i,
  output logic [31:0]      s_rdata_o,
  output logic [1:0]       s_rresp_o,

  output logic             start_o,
  output logic [39:0]      program_addr_o,
  input  logic             running_i,
  input  logic             done_i,
  input  error_e           error_i,
  input  logic [31:0]      error_index_i,
  input  logic [39:0]      error_addr_i,
  input  logic [4:0]       count_i,       // in this order: compute busy, load, compute, drain, store waiting
  output logic [63:0]      cycles_o,
  output logic [4:0][31:0] counters_o,
  output logic             irq_o
);

  logic        done_q, irq_q, irq_enable_q;
  error_e      error_q;
  logic [31:0] error_index_q;
  logic [39:0] error_addr_q;
  logic        write, read;
  logic [31:0] status;

  // A write is taken when address and data are both there and no response waits. READY comes from a register, a cycle
  // after VALID, which then stays.
  logic write_q, read_q;
  assign write       = write_q;
  assign s_awready_o = write_q;
  assign s_wready_o  = write_q;
  assign s_bresp_o   = 2'b00;
  assign read        = read_q;
  assign s_arready_o = read_q;
  assign s_rresp_o   = 2'b00;
  assign irq_o       = irq_q && irq_enable_q;
  assign status      = {20'd0, error_q, 4'd0, irq_q, error_q != ErrNone, done_q, running_i};

  function automatic logic [31:0] merge(input logic [31:0] old, input logic [31:0] data, input logic [3:0] strb);
    for (int unsigned i = 0; i < 4; i++) merge[i*8 +: 8] = strb[i] ? data[i*8 +: 8] : old[i*8 +: 8];
  endfunction

  logic [63:0] program_q;
  assign program_addr_o = program_q[39:0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s_bvalid_o    <= 1'b0;
      s_rvalid_o    <= 1'b0;
      s_rdata_o     <= '0;
      start_o       <= 1'b0;
      program_q     <= '0;
      done_q        <= 1'b0;
      irq_q         <= 1'b0;
      irq_enable_q  <= 1'b0;
      error_q       <= ErrNone;
      error_index_q <= '0;
      error_addr_q  <= '0;
      write_q       <= 1'b0;
      read_q        <= 1'b0;
      cycles_o      <= '0;
      counters_o    <= '0;
    end else begin
      start_o <= 1'b0;
      write_q <= s_awvalid_i && s_wvalid_i && !s_bvalid_o && !write_q;
      read_q  <= s_arvalid_i && !s_rvalid_o && !read_q;
      if (s_bready_i) s_bvalid_o <= 1'b0;
      if (write) begin
        s_bvalid_o <= 1'b1;
        unique case ({s_awaddr_i[7:2], 2'b00})
          8'h00: if (s_wstrb_i[0]) begin
            irq_enable_q <= s_wdata_i[2];
            if (s_wdata_i[1]) irq_q <= 1'b0;
            if (s_wdata_i[0] && !running_i && !start_o) begin
              start_o    <= 1'b1;
              done_q     <= 1'b0;
              error_q    <= ErrNone;
              cycles_o   <= '0;
              counters_o <= '0;
            end
          end
          8'h10: program_q[31:0]  <= merge(program_q[31:0], s_wdata_i, s_wstrb_i);
          8'h14: program_q[63:32] <= merge(program_q[63:32], s_wdata_i, s_wstrb_i);
          default: ;
        endcase
      end

      if (s_rready_i) s_rvalid_o <= 1'b0;
      if (read) begin
        s_rvalid_o <= 1'b1;
        unique case ({s_araddr_i[7:2], 2'b00})
          8'h00:   s_rdata_o <= {29'd0, irq_enable_q, 2'b00};
          8'h04:   s_rdata_o <= status;
          8'h08:   s_rdata_o <= error_index_q;
          8'h10:   s_rdata_o <= program_q[31:0];
          8'h14:   s_rdata_o <= program_q[63:32];
          8'h18:   s_rdata_o <= cycles_o[31:0];
          8'h1C:   s_rdata_o <= cycles_o[63:32];
          8'h20:   s_rdata_o <= counters_o[0];
          8'h24:   s_rdata_o <= counters_o[1];
          8'h28:   s_rdata_o <= counters_o[2];
          8'h2C:   s_rdata_o <= counters_o[3];
          8'h30:   s_rdata_o <= counters_o[4];
          8'h40:   s_rdata_o <= error_addr_q[31:0];
          8'h44:   s_rdata_o <= {24'd0, error_addr_q[39:32]};
          8'h3C:   s_rdata_o <= {24'hC0DE51, ArrayKind};
          default: s_rdata_o <= '0;
        endcase
      end

      if (running_i) begin
        cycles_o <= cycles_o + 64'd1;
        for (int unsigned i = 0; i < 5; i++) counters_o[i] <= counters_o[i] + 32'(count_i[i]);
      end
      if (done_i) begin
        done_q        <= 1'b1;
        irq_q         <= 1'b1;
        error_q       <= error_i;
        error_index_q <= error_index_i;
        error_addr_q  <= error_addr_i;
      end
    end
  end

  logic unused_addr;
  assign unused_addr = ^{s_awaddr_i[1:0], s_araddr_i[1:0]};

endmodule
