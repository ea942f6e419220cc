// The drain unit: accumulators through post-processing (PpuLanes channels a cycle) and, with Tables, the table of an
// activation function into the output buffer.
//
// A command of `blocks` channel words times `words` pixels takes blocks * words * N / PpuLanes cycles and a constant.
module cd_drain
  import cd_types_pkg::*;
#(
  parameter int unsigned N        = 16,
  parameter int unsigned PpuLanes = 4,
  parameter int unsigned ActW     = 8,
  parameter int unsigned AccW     = 32,
  parameter int unsigned AbAw     = 10,
  parameter int unsigned PbWords  = 64,   // groups of PpuLanes channels in the parameter buffer
  parameter bit          Tables   = 1'b0,
  parameter int unsigned Stages   = 0,    // registers added behind post-processing
  localparam int unsigned PbAw    = PbWords > 1 ? $clog2(PbWords) : 1
) (
  input  logic                clk_i,
  input  logic                rst_ni,

  input  logic                cmd_valid_i,
  input  drain_t              cmd_i,
  input  logic [15:0]         signal_i,
  input  logic                tokens_ok_i,
  output logic                start_o,
  output logic [15:0]         signal_o,
  output logic                busy_o,

  output logic                ab_re_o,
  output logic [AbAw-1:0]     ab_addr_o,
  input  logic [N*AccW-1:0]   ab_data_i,
  output logic                rb_re_o,
  output logic [19:0]         rb_addr_o,
  input  logic [N*ActW-1:0]   rb_data_i,
  output logic                ob_we_o,
  output logic [19:0]         ob_addr_o,
  output logic [N*ActW-1:0]   ob_data_o,

  // Parameters: one channel a write, from the load unit.
  input  logic                pb_we_i,
  input  logic                tb_we_i,     // 16 entries of a table a write, at pb_addr_i
  input  logic [19:0]         pb_addr_i,
  input  logic [127:0]        pb_data_i
);

  localparam int unsigned Groups  = N / PpuLanes;
  localparam int unsigned GrpW    = Groups > 1 ? $clog2(Groups) : 1;
  localparam int unsigned LgLanes = $clog2(PpuLanes);
  localparam int unsigned LaneLat = 20;              // cd_ppu_lane
  localparam int unsigned Latency = LaneLat + 3 + (Tables ? 2 : 0) + Stages;  // the buffers' read, the deal; cd_lookup

  if (PpuLanes > N || 2 ** LgLanes != PpuLanes) begin : gen_check
    $error("cd_drain: PpuLanes must be a power of two, at most N");
  end

  // ---- Issue: one group of lanes a cycle ----
  drain_t          cmd_q;
  logic [15:0]     signal_q;
  logic            busy_q, issue_q;
  logic [GrpW-1:0] group_q;
  logic [19:0]     ab_addr_q, rb_addr_q, ob_addr_q;
  logic [19:0]     words_more_q, words_left_q;     // behind a block's first word, behind this one
  logic [15:0]     blocks_left_q;
  logic            one_word_q, last_word_q, last_block_q;  // none
  logic [PbAw-1:0] pb_block_q;
  logic            last_group, last_issue, out_last;

  assign start_o    = cmd_valid_i && tokens_ok_i && !busy_q;
  assign last_group = group_q == GrpW'(Groups - 1);
  assign last_issue = last_group && last_word_q && last_block_q;
  assign busy_o     = busy_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      busy_q     <= 1'b0;
      issue_q    <= 1'b0;
      group_q    <= '0;
      pb_block_q <= '0;
      signal_q   <= '0;
    end else begin
      if (start_o) begin
        busy_q     <= 1'b1;
        issue_q    <= 1'b1;
        group_q    <= '0;
        pb_block_q <= PbAw'(cmd_i.pb_base);
        signal_q   <= signal_i;
      end else if (issue_q) begin
        group_q <= last_group ? '0 : group_q + 1'b1;
        if (last_group && last_word_q) pb_block_q <= pb_block_q + PbAw'(Groups);
        if (last_issue) issue_q <= 1'b0;
      end
      if (ob_we_o && out_last) busy_q <= 1'b0;
    end
  end
  // Taken in every idle cycle: the start, which is known late, need not reach so many registers. Addresses are counted up.
  always_ff @(posedge clk_i) begin
    if (!busy_q) begin
      cmd_q     <= cmd_i;
      ab_addr_q <= cmd_i.ab_base;
      rb_addr_q <= cmd_i.rb_base;
      ob_addr_q <= cmd_i.ob_base;
      words_more_q  <= cmd_i.words - 20'd1;
      words_left_q  <= cmd_i.words - 20'd1;
      one_word_q    <= cmd_i.words == 20'd1;
      last_word_q   <= cmd_i.words == 20'd1;
      blocks_left_q <= cmd_i.blocks - 16'd1;
      last_block_q  <= cmd_i.blocks == 16'd1;
    end else begin
      if (issue_q && last_group) begin
        ab_addr_q <= ab_addr_q + 20'd1;
        if (!cmd_q.broadcast || last_word_q) rb_addr_q <= rb_addr_q + 20'd1;
        words_left_q <= last_word_q ? words_more_q : words_left_q - 20'd1;
        last_word_q  <= last_word_q ? one_word_q : words_left_q == 20'd1;
        if (last_word_q) begin
          blocks_left_q <= blocks_left_q - 16'd1;
          last_block_q  <= blocks_left_q == 16'd1;
        end
      end
      if (ob_we_o) ob_addr_q <= ob_addr_q + 20'd1;
    end
  end

  assign ab_re_o   = issue_q && group_q == '0;
  assign ab_addr_o = AbAw'(ab_addr_q);
  assign rb_re_o   = ab_re_o && (cmd_q.residual || cmd_q.product);
  assign rb_addr_o = rb_addr_q;

  // ---- Parameters ----
  localparam int unsigned RecW = AccW + 38;   // {shift, mult, bias}
  logic [PbAw-1:0]          pb_raddr, pb_waddr;
  logic [PpuLanes*RecW-1:0] pb_rdata;
  assign pb_raddr = pb_block_q + PbAw'(group_q);
  assign pb_waddr = PbAw'(pb_addr_i >> LgLanes);

  for (genvar i = 0; i < PpuLanes; i++) begin : gen_param
    cd_ram #(
      .Width(RecW),
      .Depth(PbWords)
    ) u_ram (
      .clk_i,
      .we_i   (pb_we_i && (pb_addr_i & 20'(PpuLanes - 1)) == 20'(i)),
      .waddr_i(pb_waddr),
      .wdata_i({pb_data_i[101:96], pb_data_i[95:64], pb_data_i[AccW-1:0]}),
      .re_i   (issue_q && cmd_q.per_channel),
      .raddr_i(pb_raddr),
      .rdata_o(pb_rdata[i*RecW +: RecW])
    );
  end
  logic unused_param;
  assign unused_param = ^{pb_data_i[127:102], pb_data_i[63:AccW], pb_addr_i, cmd_q, ab_addr_q};

  // ---- Lanes ----
  logic [GrpW-1:0]          group_q1, group_q2;  // group_q2: whose words lie in the memories' registers
  logic [PpuLanes*AccW-1:0] acc_q;
  logic [PpuLanes*RecW-1:0] rec_q;
  logic [PpuLanes*ActW-1:0] other_q, post, looked, y;

  // What a group is dealt waits in registers: the memories lie all over the chip, the lanes' multipliers in a few columns.
  always_ff @(posedge clk_i) begin
    group_q1 <= group_q;
    group_q2 <= group_q1;
    acc_q    <= ab_data_i[PpuLanes*AccW*32'(group_q2) +: PpuLanes*AccW];
    other_q  <= rb_data_i[PpuLanes*ActW*32'(group_q2) +: PpuLanes*ActW];
    rec_q    <= cmd_q.per_channel ? pb_rdata : {PpuLanes{{cmd_q.imm_shift, cmd_q.imm_mult, {AccW{1'b0}}}}};
  end

  for (genvar i = 0; i < PpuLanes; i++) begin : gen_lane
    logic [RecW-1:0] rec;
    assign rec = rec_q[i*RecW +: RecW];
    cd_ppu_lane #(
      .ActW(ActW),
      .AccW(AccW)
    ) u_lane (
      .clk_i,
      .acc_i     (acc_q[i*AccW +: AccW]),
      .bias_i    (rec[AccW-1:0]),
      .mult_i    (rec[AccW +: 32]),
      .shift_i   (rec[AccW+32 +: 6]),
      .other_i   (other_q[i*ActW +: ActW]),
      .low_i     (cmd_q.low),
      .high_i    (cmd_q.high),
      .residual_i(cmd_q.residual),
      .product_i (cmd_q.product),
      .affine_i  (cmd_q.affine),
      .m0_i      (cmd_q.m0),
      .m1_i      (cmd_q.m1),
      .shift2_i  (cmd_q.shift2),
      .low2_i    (cmd_q.low2),
      .high2_i   (cmd_q.high2),
      .y_o       (post[i*ActW +: ActW])
    );
  end

  if (Tables) begin : gen_lookup
    localparam int unsigned TbAw = $clog2(2 ** ActW / 8);
    logic [16*ActW-1:0] entries;
    always_comb begin
      for (int unsigned i = 0; i < 16; i++) entries[i*ActW +: ActW] = pb_data_i[8*i +: ActW];
    end
    cd_lookup #(
      .Lanes(PpuLanes),
      .ActW (ActW)
    ) u_lookup (
      .clk_i,
      .we_i    (tb_we_i),
      .waddr_i (TbAw'(pb_addr_i)),
      .wdata_i (entries),
      .enable_i(cmd_q.lookup),
      .half_i  (cmd_q.lookup_half),
      .x_i     (post),
      .y_o     (looked)
    );
  end else begin : gen_no_lookup
    assign looked = post;
    logic unused_lookup;
    assign unused_lookup = ^{tb_we_i, cmd_q.lookup, cmd_q.lookup_half};
  end

  // ---- Output words ----
  logic unused_valid;
  cd_delay #(
    .Width (PpuLanes * ActW),
    .Stages(Stages)
  ) u_late (
    .clk_i,
    .rst_ni,
    .valid_i(1'b0),
    .data_i (looked),
    .valid_o(unused_valid),
    .data_o (y)
  );

  logic [Latency-1:0] valid_q, last_q;
  logic [GrpW-1:0]    out_group_q;
  logic [N*ActW-1:0]  word_d, word_q2;

  always_comb begin
    word_d = word_q2;
    word_d[PpuLanes*ActW*32'(out_group_q) +: PpuLanes*ActW] = y;
  end

  assign ob_we_o   = valid_q[Latency-1] && out_group_q == GrpW'(Groups - 1);
  assign ob_addr_o = ob_addr_q;
  assign ob_data_o = word_d;
  assign out_last  = last_q[Latency-1];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q     <= '0;
      last_q      <= '0;
      out_group_q <= '0;
      signal_o    <= '0;
    end else begin
      valid_q  <= {valid_q[Latency-2:0], issue_q};
      last_q   <= {last_q[Latency-2:0], last_issue};
      signal_o <= ob_we_o && out_last ? signal_q : '0;
      if (start_o) begin
        out_group_q <= '0;
      end else if (valid_q[Latency-1]) begin
        out_group_q <= out_group_q == GrpW'(Groups - 1) ? '0 : out_group_q + 1'b1;
      end
    end
  end
  always_ff @(posedge clk_i) begin
    if (valid_q[Latency-1]) word_q2 <= word_d;
  end

endmodule
