// The memory of the fast bench, an AXI4 slave with the latency and the bandwidth of the cost model.
//
// A read's first beat comes latency cycles after its address at the earliest, a write's response latency cycles after
// its last beat. In each direction a beat costs its bytes of a credit that grows by bytes_per_cycle each cycle, up to one
// beat and one cycle's worth. With stall_i > 0 each channel also pauses at random, stall_i times in 256. The bytes are
// kept outside (cd_memory.cpp).
module cd_dram #(
  parameter int unsigned AxiW = 128
) (
  input  logic              clk_i,
  input  logic              rst_ni,
  input  logic [31:0]       latency_i,
  input  logic [31:0]       bytes_per_cycle_i,
  input  logic [7:0]        stall_i,
  input  logic [31:0]       seed_i,

  input  logic              awvalid_i,
  output logic              awready_o,
  input  logic [39:0]       awaddr_i,
  input  logic [7:0]        awlen_i,
  input  logic [15:0]       awuser_i,
  input  logic              wvalid_i,
  output logic              wready_o,
  input  logic [AxiW-1:0]   wdata_i,
  input  logic [AxiW/8-1:0] wstrb_i,
  input  logic              wlast_i,
  output logic              bvalid_o,
  input  logic              bready_i,
  output logic [1:0]        bresp_o,
  input  logic              arvalid_i,
  output logic              arready_o,
  input  logic [39:0]       araddr_i,
  input  logic [7:0]        arlen_i,
  input  logic [15:0]       aruser_i,
  output logic              rvalid_o,
  input  logic              rready_i,
  output logic [AxiW-1:0]   rdata_o,
  output logic [1:0]        rresp_o,
  output logic              rlast_o
);

  import "DPI-C" function void cd_memory_read(input longint addr, input int bytes, input int tag,
                                              output bit [511:0] data);
  import "DPI-C" function void cd_memory_write(input longint addr, input int bytes, input int tag,
                                               input bit [511:0] data, input bit [63:0] strobe);

  localparam int unsigned Bytes = AxiW / 8;
  localparam int unsigned Depth = 64;   // bursts that may wait

  typedef struct packed {
    logic [39:0] addr;
    logic [7:0]  len;
    logic [15:0] tag;
    logic [63:0] ready;                 // cycle from which it may be answered
  } burst_t;

  burst_t      reads [Depth];
  burst_t      writes [Depth];
  logic [63:0] replies [Depth];
  logic [5:0]  read_put, read_get, write_put, write_get, reply_put, reply_get;
  logic [7:0]  read_beat, write_beat;
  logic [31:0] read_credit, write_credit, cap, random;
  logic [63:0] now;                     // the cycle that begins at this edge
  bit [511:0]  data, wide;              // a beat as the functions above take it
  logic        unused_data;
  assign unused_data = ^data;

  function automatic logic [31:0] next_random(input logic [31:0] value);
    logic [31:0] v;
    v = value;
    v ^= v << 13;
    v ^= v >> 17;
    v ^= v << 5;
    return v;
  endfunction

  assign cap     = Bytes + bytes_per_cycle_i;
  assign rresp_o = 2'b00;
  assign bresp_o = 2'b00;

  // One block with blocking assignments, so that a cycle's new bursts can be answered in the next.
  /* verilator lint_off BLKSEQ */
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      now = '0;
      {read_put, read_get, write_put, write_get, reply_put, reply_get} = '0;
      {read_beat, write_beat} = '0;
      read_credit  = Bytes + bytes_per_cycle_i;
      write_credit = Bytes + bytes_per_cycle_i;
      random       = seed_i | 32'd1;
      arready_o <= 1'b0;
      rvalid_o  <= 1'b0;
      rlast_o   <= 1'b0;
      rdata_o   <= '0;
      awready_o <= 1'b0;
      wready_o  <= 1'b0;
      bvalid_o  <= 1'b0;
    end else begin
      logic         read_open, reply_open;
      now = now + 64'd1;
      if (stall_i != '0) random = next_random(random);

      // ---- Reads ----
      if (arvalid_i && arready_o) begin
        reads[read_put] = '{addr: araddr_i, len: arlen_i, tag: aruser_i, ready: now - 64'd1 + 64'(latency_i)};
        read_put = read_put + 6'd1;
      end
      read_open = !rvalid_o || rready_i;
      if (rvalid_o && rready_i) begin
        read_credit = read_credit - Bytes;
        if (rlast_o) begin
          read_beat = '0;
          read_get  = read_get + 6'd1;
        end else begin
          read_beat = read_beat + 8'd1;
        end
      end
      read_credit = read_credit + bytes_per_cycle_i > cap ? cap : read_credit + bytes_per_cycle_i;
      if (read_open) begin
        rvalid_o <= 1'b0;
        if (read_get != read_put && now >= reads[read_get].ready && read_credit >= Bytes && random[7:0] >= stall_i)
        begin
          cd_memory_read(longint'(reads[read_get].addr) + longint'(read_beat) * longint'(Bytes), int'(Bytes),
                         int'(reads[read_get].tag), data);
          rvalid_o <= 1'b1;
          rdata_o  <= data[AxiW-1:0];
          rlast_o  <= read_beat == reads[read_get].len;
        end
      end
      arready_o <= (read_put - read_get) < 6'd48 && random[15:8] >= stall_i;

      // ---- Writes ----
      if (awvalid_i && awready_o) begin
        writes[write_put] = '{addr: awaddr_i, len: awlen_i, tag: awuser_i, ready: '0};
        write_put = write_put + 6'd1;
      end
      if (wvalid_i && wready_o) begin
        if (write_get == write_put) $fatal(1, "cd_dram: write data without an address");
        wide = '0;
        wide[AxiW-1:0] = wdata_i;
        cd_memory_write(longint'(writes[write_get].addr) + longint'(write_beat) * longint'(Bytes), int'(Bytes),
                        int'(writes[write_get].tag), wide, 64'(wstrb_i));
        if (wlast_i != (write_beat == writes[write_get].len)) $fatal(1, "cd_dram: wlast in the wrong beat");
        write_credit = write_credit - Bytes;
        write_beat   = write_beat + 8'd1;
        if (wlast_i) begin
          write_beat         = '0;
          write_get          = write_get + 6'd1;
          replies[reply_put] = now - 64'd1 + 64'(latency_i);
          reply_put          = reply_put + 6'd1;
        end
      end
      write_credit = write_credit + bytes_per_cycle_i > cap ? cap : write_credit + bytes_per_cycle_i;
      reply_open   = !bvalid_o || bready_i;
      if (bvalid_o && bready_i) reply_get = reply_get + 6'd1;
      if (reply_open) begin
        bvalid_o <= reply_get != reply_put && now >= replies[reply_get] && random[23:16] >= stall_i;
      end
      awready_o <= (write_put - write_get) < 6'd48 && (reply_put - reply_get) < 6'd32 && random[31:24] >= stall_i;
      // This slave takes data only behind its address, as the protocol lets it.
      wready_o  <= write_get != write_put && write_credit >= Bytes && (random[7:0] ^ random[20:13]) >= stall_i;
    end
  end
  /* verilator lint_on BLKSEQ */

endmodule
