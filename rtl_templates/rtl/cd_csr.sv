// Registers on AXI4-Lite (32 bits, one access at a time).
//
//   0x00 CONTROL    write 1 to bit 0: start (ignored while busy); 1: clear the interrupt; 2: interrupt enable; 3: abort (the
//        run ends with an error once what is under way has ended); 4: reset of all but these registers, for a bus that
//        never answers
//   0x04 STATUS     bit 0 busy, 1 done, 2 error, 3 interrupt; bits 11:8 error code (cd_types_pkg::error_e)
//   0x08 ERROR_AT   number of the descriptor at fault; all ones: the fetch of the first chunk
//   0x0C DESIGN     hash of this hardware's parameters; every descriptor has to name it
//   0x10 PROGRAM    byte address of the program; 0x14 its upper bits
//   0x18 CYCLES     of the last or current run; 0x1C its upper bits
//   0x34 GEOMETRY   bits 7:0 rows, 15:8 columns, 23:16 bits of an activation, 31:24 of a weight
//   0x38 PORT       bits 9:0 width of the memory port, 23:16 beats of its longest burst
//   0x3C IDENTITY   0xC0DE51 and the array kind
//   0x40 ERROR_ADDR of the burst that the bus answered with an error; 0x44 its upper bits
//   0x48 IMAGE      number of the program that has to run; 0: any
//   0x4C WATCHDOG   cycles that a run may take; 0: any number. Beyond it: an error, an interrupt, and an abort
//   0x50 WEIGHTS, 0x58 ACTIVATIONS, 0x60 INPUT, 0x68 OUTPUT   byte addresses of these buffers; upper bits 4 bytes on
//   0x80 + 8 i      counters, upper bits 4 bytes on: 0 cycles of the compute unit at work; 1 to 4 cycles in which load,
//        compute, drain, store had a command and missed a token; 5 to 12 those of cd_account
//
// Reading the lower half of CYCLES or of a counter holds its upper half for the next read of that: 64 bits at one moment.
module cd_csr
  import cd_types_pkg::*;
#(
  parameter logic [7:0]  ArrayKind  = 8'd0,
  parameter logic [31:0] DesignHash = 32'd0,
  parameter logic [31:0] Geometry   = 32'd0,
  parameter logic [31:0] Port       = 32'd0,
  parameter int unsigned CountW     = 40
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

  output logic                     start_o,
  output bases_t                   bases_o,
  output logic [31:0]              image_o,
  output logic                     abort_o,       // pulse
  output error_e                   abort_code_o,
  output logic                     reset_o,
  input  logic             running_i,
  input  logic             done_i,
  input  error_e           error_i,
  input  logic [31:0]      error_index_i,
  input  logic [39:0]      error_addr_i,
  input  logic [4:0]       count_i,       // in this order: compute busy, load, compute, drain, store waiting
  input  logic [7:0][CountW-1:0] account_i,
  output logic [63:0]      cycles_o,
  output logic [4:0][31:0] counters_o,
  output logic             irq_o
);

  localparam int unsigned Counters = 13;
  localparam int unsigned Regions  = 5;

  logic        done_q, irq_q, irq_enable_q;
  error_e      error_q;
  logic [31:0] error_index_q, image_q, watchdog_q, upper_q;
  logic [39:0] error_addr_q;
  logic        write, read, late_q;      // read: its data is taken in this cycle
  logic [31:0] status;
  logic [3:0]  reset_q;
  logic [CountW-1:0]      cycles_q;
  logic [4:0]             count_q;         // what the counters have still to take: the former cycle's
  logic [4:0][CountW-1:0] counters_q, counters_now;
  logic [Counters-1:0][CountW-1:0] all;

  // A write is taken when address and data are both there and no response waits. READY comes from a register, a cycle
  // after VALID, which then stays.
  logic write_q, read_q, choose_q;
  assign write       = write_q;
  assign s_awready_o = write_q;
  assign s_wready_o  = write_q;
  assign s_bresp_o   = 2'b00;
  assign read        = choose_q;
  assign s_arready_o = read_q;
  assign s_rresp_o   = 2'b00;
  assign irq_o       = irq_q && irq_enable_q;
  assign status      = {20'd0, error_q, 4'd0, irq_q, error_q != ErrNone, done_q, running_i};
  assign image_o     = image_q;
  assign reset_o     = reset_q != '0;
  assign all         = {account_i, counters_q};  // a run's end is seen later than its last count
  assign cycles_o    = 64'(cycles_q);
  always_comb begin
    for (int unsigned i = 0; i < 5; i++) begin
      counters_now[i] = counters_q[i] + CountW'(count_q[i]);
      counters_o[i]   = 32'(counters_now[i]);
    end
  end

  function automatic logic [31:0] merge(input logic [31:0] old, input logic [31:0] data, input logic [3:0] strb);
    for (int unsigned i = 0; i < 4; i++) merge[i*8 +: 8] = strb[i] ? data[i*8 +: 8] : old[i*8 +: 8];
  endfunction

  // Base registers: the program's at 0x10, the others from 0x50 on.
  logic [Regions-1:0][63:0] base_q;
  logic [2:0]               base_at, base_read;   // where a write, a read goes
  always_comb begin
    for (int unsigned i = 0; i < Regions; i++) bases_o[i] = base_q[i][39:0];
  end
  function automatic logic [2:0] region_at(input logic [7:0] addr);   // Regions: none
    if (addr[7:3] == 5'b00010) return 3'd0;
    if (addr >= 8'h50 && addr < 8'h70) return 3'(addr[7:3] - 5'd9);
    return 3'(Regions);
  endfunction
  assign base_at   = region_at(s_awaddr_i);
  assign base_read = region_at(s_araddr_i);

  // A read takes two cycles: first one counter and one base are chosen, then one of all registers.
  logic [7:0]        addr_q;
  logic [3:0]        which;
  logic [CountW-1:0] counter_q;
  logic [31:0]       base_word_q;
  assign which = s_araddr_i[6:3];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      s_bvalid_o    <= 1'b0;
      s_rvalid_o    <= 1'b0;
      s_rdata_o     <= '0;
      start_o       <= 1'b0;
      abort_o       <= 1'b0;
      abort_code_o  <= ErrNone;
      base_q        <= '0;
      image_q       <= '0;
      watchdog_q    <= '0;
      late_q        <= 1'b0;
      reset_q       <= '0;
      upper_q       <= '0;
      done_q        <= 1'b0;
      irq_q         <= 1'b0;
      irq_enable_q  <= 1'b0;
      error_q       <= ErrNone;
      error_index_q <= '0;
      error_addr_q  <= '0;
      write_q       <= 1'b0;
      read_q        <= 1'b0;
      choose_q      <= 1'b0;
      addr_q        <= '0;
      counter_q     <= '0;
      base_word_q   <= '0;
      count_q       <= '0;
      cycles_q      <= '0;
      counters_q    <= '0;
    end else begin
      start_o <= 1'b0;
      abort_o <= 1'b0;
      if (reset_q != '0) reset_q <= reset_q - 4'd1;
      write_q <= s_awvalid_i && s_wvalid_i && !s_bvalid_o && !write_q;
      read_q  <= s_arvalid_i && !s_rvalid_o && !read_q && !choose_q;
      choose_q    <= read_q;
      addr_q      <= s_araddr_i;
      counter_q   <= s_araddr_i[7] ? (which < 4'(Counters) ? all[which] : '0) : cycles_q;
      base_word_q <= base_read == 3'(Regions) ? '0 : s_araddr_i[2] ? base_q[base_read][63:32] : base_q[base_read][31:0];
      count_q     <= running_i && !reset_o ? count_i : '0;
      counters_q  <= counters_now;
      if (s_bready_i) s_bvalid_o <= 1'b0;

      if (running_i && !reset_o) begin
        cycles_q <= cycles_q + 1'b1;
        // The interrupt comes now: where the bus never answers, the run does not end by itself.
        late_q <= watchdog_q != '0 && cycles_q >= CountW'(watchdog_q);
        if (late_q && error_q == ErrNone) begin
          abort_o      <= 1'b1;
          abort_code_o <= ErrWatchdog;
          error_q      <= ErrWatchdog;
          irq_q        <= 1'b1;
        end
      end
      if (done_i && !reset_o) begin
        done_q        <= 1'b1;
        irq_q         <= 1'b1;
        error_q       <= error_i;
        error_index_q <= error_index_i;
        error_addr_q  <= error_addr_i;
      end

      if (write) begin
        s_bvalid_o <= 1'b1;
        if (base_at != 3'(Regions)) begin
          if (s_awaddr_i[2]) base_q[base_at][63:32] <= merge(base_q[base_at][63:32], s_wdata_i, s_wstrb_i);
          else base_q[base_at][31:0] <= merge(base_q[base_at][31:0], s_wdata_i, s_wstrb_i);
        end
        unique case ({s_awaddr_i[7:2], 2'b00})
          8'h00: if (s_wstrb_i[0]) begin
            irq_enable_q <= s_wdata_i[2];
            if (s_wdata_i[1]) irq_q <= 1'b0;
            if (s_wdata_i[3] && running_i) begin
              abort_o      <= 1'b1;
              abort_code_o <= ErrAbort;
            end
            if (s_wdata_i[4]) begin
              reset_q <= 4'd8;
              done_q  <= 1'b0;
              irq_q   <= 1'b0;
              error_q <= ErrNone;
              late_q  <= 1'b0;
            end else if (s_wdata_i[0] && !running_i && !start_o && !reset_o) begin
              start_o    <= 1'b1;
              done_q     <= 1'b0;
              error_q    <= ErrNone;
              late_q     <= 1'b0;
              cycles_q   <= '0;
              counters_q <= '0;
            end
          end
          8'h48: image_q    <= merge(image_q, s_wdata_i, s_wstrb_i);
          8'h4C: watchdog_q <= merge(watchdog_q, s_wdata_i, s_wstrb_i);
          default: ;
        endcase
      end

      if (s_rready_i) s_rvalid_o <= 1'b0;
      if (read) begin
        s_rvalid_o <= 1'b1;
        unique case ({addr_q[7:2], 2'b00})
          8'h00:   s_rdata_o <= {29'd0, irq_enable_q, 2'b00};
          8'h04:   s_rdata_o <= status;
          8'h08:   s_rdata_o <= error_index_q;
          8'h0C:   s_rdata_o <= DesignHash;
          8'h34:   s_rdata_o <= Geometry;
          8'h38:   s_rdata_o <= Port;
          8'h3C:   s_rdata_o <= {24'hC0DE51, ArrayKind};
          8'h40:   s_rdata_o <= error_addr_q[31:0];
          8'h44:   s_rdata_o <= {24'd0, error_addr_q[39:32]};
          8'h48:   s_rdata_o <= image_q;
          8'h4C:   s_rdata_o <= watchdog_q;
          default: s_rdata_o <= '0;
        endcase
        if (region_at(addr_q) != 3'(Regions)) s_rdata_o <= base_word_q;
        if (addr_q[7] || addr_q[7:3] == 5'b00011) begin
          s_rdata_o <= addr_q[2] ? upper_q : counter_q[31:0];
          if (!addr_q[2]) upper_q <= 32'(counter_q[CountW-1:32]);
        end
      end
    end
  end

  logic unused_addr;
  assign unused_addr = ^{s_awaddr_i[1:0], addr_q[1:0]};

endmodule
