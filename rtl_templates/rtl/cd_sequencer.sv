// Runs the program: has it fetched in chunks, checks each descriptor, and hands it to its unit's queue, in order.
//
// The program is fetched by the load unit: the first chunk on start, each further one by a load command within the
// program itself, into the half of the program memory that the chunk before it does not occupy.
module cd_sequencer
  import cd_types_pkg::*;
#(
  parameter int unsigned Chunk      = 16,   // descriptors of a chunk, a power of two
  parameter int unsigned AxiBytes   = 16,
  parameter int unsigned N          = 16,
  parameter int unsigned ActBytes   = 16,
  parameter int unsigned WgtBytes   = 16,
  parameter int unsigned IbWords    = 4096, // words of each memory, both halves together
  parameter int unsigned WbWords    = 4096,
  parameter int unsigned PbChannels = 512,
  parameter int unsigned RbWords    = 1024,
  parameter int unsigned ObWords    = 1024,
  parameter int unsigned AbWords    = 512,  // of one half
  parameter int unsigned PpuLanes   = 4,
  parameter int unsigned Cols       = 16,
  parameter bit          Nonlinear  = 1'b0,
  parameter int unsigned TableWords = 0,    // of both halves; 0: no tables
  parameter int unsigned Packing    = 1,    // most words of weights in a stored word
  parameter bit          DualRate   = 1'b0,
  parameter bit          TapSkip    = 1'b0,
  parameter bit          Unaligned  = 1'b1,
  parameter int unsigned DesignHash = 0     // what a program must name
) (
  input  logic           clk_i,
  input  logic           rst_ni,

  input  logic           start_i,
  input  bases_t         bases_i,
  input  logic [31:0]    image_i,       // the program's number; 0: any
  input  logic           abort_i,       // pulse: stop as after an error
  input  error_e         abort_code_i,
  output logic           running_o,
  output logic           clear_o,       // pulse: a run begins
  output logic           flush_o,       // an error: forget what waits in the queues
  output logic           done_o,        // pulse
  output error_e         error_o,       // with done_o
  output logic [31:0]    error_index_o, // descriptor that was at fault; all ones: the fetch of the first chunk
  output logic [39:0]    error_addr_o,  // of the burst that the bus refused
  output logic [31:0]    index_o,       // of the descriptor on offer

  input  logic           chunk_ready_i, // pulse
  input  logic           bus_error_i,   // pulse
  input  logic [31:0]    bus_index_i,
  input  logic [39:0]    bus_addr_i,
  input  logic           idle_i,        // nothing in queues and units, a cycle ago

  input  logic           pm_we_i,
  input  logic [19:0]    pm_addr_i,
  input  logic [8*DescriptorBytes-1:0] pm_data_i,

  output token_t         token_o,
  output logic           load_push_o,
  output dma_t           load_o,
  input  logic           load_full_i,
  output logic           compute_push_o,
  output compute_t       compute_o,
  input  logic           compute_full_i,
  output logic           drain_push_o,
  output drain_t         drain_o,
  input  logic           drain_full_i,
  output logic           store_push_o,
  output dma_t           store_o,
  output logic [20:0]    store_words_o,
  input  logic           store_full_i
);

  localparam int unsigned PmAw     = $clog2(2 * Chunk);
  localparam int unsigned LgN      = $clog2(N);
  localparam int unsigned AbHw     = $clog2(AbWords);
  localparam int unsigned ActAlign = ActBytes < AxiBytes ? ActBytes : AxiBytes;
  localparam int unsigned WgtAlign = WgtBytes < AxiBytes ? WgtBytes : AxiBytes;
  localparam int unsigned ParAlign = 16 < AxiBytes ? 16 : AxiBytes;
  localparam int unsigned PrgAlign = DescriptorBytes < AxiBytes ? DescriptorBytes : AxiBytes;

  // Bits of a count of words that the largest memory holds.
  function automatic int unsigned most(input int unsigned a, input int unsigned b);
    return a > b ? a : b;
  endfunction
  localparam int unsigned MaxWords = most(most(most(IbWords, WbWords), most(PbChannels, RbWords)),
                                          most(most(ObWords, AbWords), most(TableWords, 2 * Chunk)));
  localparam int unsigned CountW   = $clog2(MaxWords + 1);

  typedef enum logic [3:0] {Idle, First, Fetch, Decode, Operands, Multiply, Scale, Check, Push, Finish, Abort} state_e;
  state_e          state_q;
  logic [31:0]     pc_q;
  logic [1:0]      chunks_q;     // fetched and not begun
  error_e          error_q;
  logic [31:0]     error_index_q;
  logic [39:0]     error_addr_q;

  // ---- Program memory: the descriptor lies in its register from Operands on, while it is checked and pushed ----
  descriptor_t desc_q;
  logic        pm_re;
  logic        boundary;

  assign boundary = pc_q[$clog2(Chunk)-1:0] == '0;
  assign pm_re    = state_q == Fetch && (!boundary || chunks_q != '0);

  cd_ram #(
    .Width(8 * DescriptorBytes),
    .Depth(2 * Chunk)
  ) u_program (
    .clk_i,
    .we_i   (pm_we_i),
    .waddr_i(PmAw'(pm_addr_i)),
    .wdata_i(pm_data_i),
    .re_i   (pm_re),
    .raddr_i(PmAw'(pc_q)),
    .rdata_o(desc_q)
  );

  // What the descriptor is, from the Multiply state on.
  logic       is_dma, is_compute, is_drain, known;
  logic [3:0] for_q;                  // for whose queue, in the order of unit_e
  logic       end_q, is_layer_q, is_constants_q;

  // ---- What the commands of a layer share; a descriptor that is at fault may set it: the run ends, and the next begins
  // with a layer ----
  layer_t     layer, layer_q;
  constants_t constants, constants_q;
  logic       keep_layer_q, keep_constants_q;  // in the Check state

  assign layer     = desc_q.body;
  assign constants = desc_q.body[$bits(constants_t)-1:0];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      keep_layer_q     <= 1'b0;
      keep_constants_q <= 1'b0;
      layer_q          <= '0;
      constants_q      <= '0;
    end else begin
      keep_layer_q     <= state_q == Scale && is_layer_q;
      keep_constants_q <= state_q == Scale && is_constants_q;
      if (keep_layer_q) begin
        layer_q     <= layer;
        constants_q <= '0;
      end else if (keep_constants_q) begin
        constants_q <= constants;
      end
    end
  end

  dma_t          dma;
  compute_body_t tile;
  drain_body_t   piece;
  compute_t      comp;
  drain_t        drain;
  logic          is_array, nonlinear;

  assign dma   = desc_q.body[$bits(dma_t)-1:0];
  assign tile  = desc_q.body[$bits(compute_body_t)-1:0];
  assign piece = desc_q.body[$bits(drain_body_t)-1:0];
  assign comp  = '{
    narrow: layer_q.narrow, masked: constants_q.masked, epsilon: constants_q.epsilon, shift: constants_q.shift,
    arg_shift: constants_q.arg_shift, arg_mult: constants_q.arg_mult, op: layer_q.op,
    tile: '{
      k: tile.k, c: tile.c, p: tile.p, q: tile.q, r: tile.r, s: layer_q.s,
      stride_h: layer_q.stride_h, stride_w: layer_q.stride_w,
      dilation_h: layer_q.dilation_h, dilation_w: layer_q.dilation_w,
      pad_top: tile.pad_top, pad_left: tile.pad_left, in_h: tile.in_h, in_w: tile.in_w,
      accumulate: tile.accumulate, dual: layer_q.dual, kept: layer_q.kept,
      ib_base: tile.ib_base, wb_base: tile.wb_base, ab_base: tile.ab_base
    }
  };
  assign drain = '{
    ab_base: piece.ab_base, ob_base: piece.ob_base, rb_base: piece.rb_base, pb_base: piece.pb_base,
    blocks: piece.blocks, words: piece.words, lookup_half: piece.lookup_half,
    per_channel: layer_q.per_channel, residual: layer_q.residual, affine: layer_q.affine, product: layer_q.product,
    broadcast: layer_q.broadcast, lookup: layer_q.lookup, imm_mult: layer_q.imm_mult, imm_shift: layer_q.imm_shift,
    low: layer_q.low, high: layer_q.high, m0: constants_q.m0, m1: constants_q.m1, shift2: constants_q.shift2,
    low2: constants_q.low2, high2: constants_q.high2
  };
  assign is_array  = layer_q.op == CompArray;
  assign nonlinear = layer_q.op >= CompSoftmax;
  logic unused_data;
  assign unused_data = ^{pm_addr_i, layer_q.hardware, layer_q.reserved};

  // Where a transfer's buffer lies.
  logic [39:0] base_q, addr_q;
  always_ff @(posedge clk_i) begin
    base_q <= desc_q.region <= RegOutput ? bases_i[desc_q.region] : '0;
    addr_q <= dma.addr + base_q;
  end

  // Whom the descriptor is for. A program begins with a layer, which names the hardware; all of it has one number, that
  // which was announced, or else the first descriptor's.
  logic [31:0] number_q;
  logic        any_number_q, named_q;      // no number is expected yet; a layer has named the hardware
  logic        stranger_q, foreign_q;
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      number_q     <= '0;
      any_number_q <= 1'b0;
      named_q      <= 1'b0;
    end else if (state_q == First) begin
      number_q     <= image_i;
      any_number_q <= image_i == '0;
      named_q      <= 1'b0;
    end else if (keep_layer_q) begin
      number_q     <= desc_q.number;
      any_number_q <= 1'b0;
      named_q      <= 1'b1;
    end
  end
  always_ff @(posedge clk_i) begin
    stranger_q <= !any_number_q && desc_q.number != number_q;
    foreign_q  <= desc_q.opcode == OpLayer ? layer.hardware != 32'(DesignHash) : !named_q;
  end

  // Footprints, each a product of three; a factor or a product of two that no memory holds is marked, so that the
  // multiplications stay narrow.
  logic [19:0] a0, a1;
  logic [15:0] b0, c0, b1, c1;
  logic [19:0] a0_q, a1_q;
  logic [15:0] b0_q, c0_q, b1_q, c1_q;
  logic [CountW+15:0] ab0_q, ab1_q, total0_q, total1_q;
  logic               much0_q, much1_q, over0_q, over1_q;

  always_comb begin
    {a0, b0, c0} = {dma.count0, dma.count1, dma.count2};
    {a1, b1, c1} = '0;
    unique case (desc_q.opcode)
      OpCompute: begin
        {a0, b0, c0} = {(20'(is_array || nonlinear ? tile.c : tile.k) + 20'(N - 1)) >> LgN, tile.in_h, tile.in_w};
        {a1, b1, c1} = {(20'(tile.k) + 20'(N - 1)) >> LgN, tile.p, tile.q};
      end
      OpDrain: begin
        {a0, b0, c0} = {piece.words, piece.blocks, 16'd1};
        {a1, b1, c1} = {20'(N / PpuLanes), piece.blocks, 16'd1};
      end
      default: ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    {a0_q, b0_q, c0_q} <= {a0, b0, c0};
    {a1_q, b1_q, c1_q} <= {a1, b1, c1};
    ab0_q    <= (CountW+16)'(CountW'(a0_q)) * (CountW+16)'(b0_q);
    ab1_q    <= (CountW+16)'(CountW'(a1_q)) * (CountW+16)'(b1_q);
    much0_q  <= |(a0_q >> CountW);
    much1_q  <= |(a1_q >> CountW);
    total0_q <= (CountW+16)'(ab0_q[CountW-1:0]) * (CountW+16)'(c0_q);
    total1_q <= (CountW+16)'(ab1_q[CountW-1:0]) * (CountW+16)'(c1_q);
    over0_q  <= much0_q || |ab0_q[CountW+15:CountW];
    over1_q  <= much1_q || |ab1_q[CountW+15:CountW];
  end

  // ---- Checks, in the Check state: each comparison into a register ----
  logic [37:0] capacity_q;
  logic [6:0]  align_mask_q;

  always_ff @(posedge clk_i) begin
    unique case (dma.target)
      BufInput:    {capacity_q, align_mask_q} <= {38'(IbWords),    7'(ActAlign - 1)};
      BufWeight:   {capacity_q, align_mask_q} <= {38'(WbWords),    7'(WgtAlign - 1)};
      BufParam:    {capacity_q, align_mask_q} <= {38'(PbChannels), 7'(ParAlign - 1)};
      BufResidual: {capacity_q, align_mask_q} <= {38'(RbWords),    7'(ActAlign - 1)};
      BufOutput:   {capacity_q, align_mask_q} <= {38'(ObWords),    7'(ActAlign - 1)};
      // What is read is Cols words for every N that are written.
      BufTurned:   {capacity_q, align_mask_q} <= {Nonlinear ? 38'(WbWords) : 38'd0, 7'(ActAlign - 1)};
      BufProgram:  {capacity_q, align_mask_q} <= {38'(2 * Chunk),  7'(PrgAlign - 1)};
      BufTable:    {capacity_q, align_mask_q} <= {38'(TableWords), 7'(ParAlign - 1)};
      default:     {capacity_q, align_mask_q} <= '0;
    endcase
  end

  always_ff @(posedge clk_i) begin
    for_q[UnitLoad]    <= desc_q.opcode == OpLoad;
    for_q[UnitCompute] <= desc_q.opcode == OpCompute;
    for_q[UnitDrain]   <= desc_q.opcode == OpDrain;
    for_q[UnitStore]   <= desc_q.opcode == OpStore;
    end_q              <= desc_q.opcode == OpEnd;
    is_layer_q         <= desc_q.opcode == OpLayer;
    is_constants_q     <= desc_q.opcode == OpConstants;
  end
  assign is_dma     = for_q[UnitLoad] || for_q[UnitStore];
  assign is_compute = for_q[UnitCompute];
  assign is_drain   = for_q[UnitDrain];
  assign known      = for_q != '0 || end_q || is_layer_q || is_constants_q;

  // A transposed transfer goes by whole blocks.
  logic        turned, ragged;
  logic [37:0] written;
  assign turned  = dma.target == BufTurned;
  assign ragged  = turned && |(dma.count0 & 20'(Cols - 1));
  assign written = turned ? 38'(total0_q) << $clog2(N / Cols) : 38'(total0_q);

  // A drain that reads the residual buffer.
  logic second;
  assign second = layer_q.residual || layer_q.product;

  // What a memory has from a base on, known before the length is: nothing where the base lies beyond it.
  function automatic logic [CountW-1:0] room_at(input logic [19:0] base, input logic [CountW-1:0] words);
    return |(base >> CountW) || CountW'(base) > words ? '0 : words - CountW'(base);
  endfunction
  function automatic logic beyond(input logic [37:0] length, input logic [CountW-1:0] most_words);
    return |(length >> CountW) || CountW'(length) > most_words;
  endfunction

  // The accumulator range [base, base + total) must stay within its half.
  logic [19:0] ab_base_q;
  always_ff @(posedge clk_i) begin
    ab_base_q <= is_drain ? piece.ab_base : tile.ab_base;
  end

  logic [CountW-1:0] dma_room_q, ib_room_q, ab_room_q, ob_room_q, rb_room_q, pb_room_q;
  always_ff @(posedge clk_i) begin
    dma_room_q <= room_at(dma.base, CountW'(capacity_q));
    ib_room_q  <= room_at(tile.ib_base, CountW'(IbWords));
    ab_room_q  <= room_at(20'(ab_base_q[AbHw-1:0]), CountW'(AbWords));
    ob_room_q  <= room_at(piece.ob_base, CountW'(ObWords));
    rb_room_q  <= room_at(piece.rb_base, CountW'(RbWords));
    pb_room_q  <= room_at(20'(piece.pb_base), CountW'(PbChannels / PpuLanes));
  end

  // Each belongs to one opcode, so that whether there is a fault is one OR.
  logic unknown_q;
  logic bad_load_q, bad_compute_q, bad_drain_q;        // ErrOpcode
  logic misaligned_q;
  logic none0_q, none1_q, ragged_q, empty_tile_q;      // ErrRange: a count of 0, and beyond each memory
  logic dma_over_q, ib_over_q, ab_over_q, ob_over_q, rb_over_q, pb_over_q;

  always_ff @(posedge clk_i) begin
    unknown_q     <= !known;
    bad_load_q    <= is_dma && (capacity_q == '0 || desc_q.region > RegOutput
                     || (dma.target == BufOutput) != for_q[UnitStore]);
    bad_compute_q <= is_compute && (layer_q.op < CompArray || layer_q.op > (Nonlinear ? CompGelu : CompMax)
                     || layer_q.narrow > 2'($clog2(Packing)) || (layer_q.dual && !(DualRate && is_array))
                     || (layer_q.kept != '0 && !(TapSkip && is_array)));
    bad_drain_q   <= is_drain && layer_q.lookup && TableWords == 0;
    misaligned_q  <= is_dma && !Unaligned && |((7'(addr_q) | 7'(dma.stride1) | 7'(dma.stride2)) & align_mask_q);
    none0_q       <= (is_dma || is_compute || is_drain) && (total0_q == '0 || over0_q);
    none1_q       <= is_compute && (total1_q == '0 || over1_q);
    ragged_q      <= is_dma && ragged;
    empty_tile_q  <= is_compute
                     && (tile.c == '0 || tile.r == '0 || layer_q.s == '0 || layer_q.stride_h == '0
                         || layer_q.stride_w == '0);
    dma_over_q    <= is_dma && beyond(written, dma_room_q);
    ib_over_q     <= is_compute && beyond(38'(total0_q), ib_room_q);
    ab_over_q     <= ((is_compute || is_drain) && |(ab_base_q >> (AbHw + 1)))
                     || (is_compute && beyond(38'(total1_q), ab_room_q)) || (is_drain && beyond(38'(total0_q), ab_room_q));
    ob_over_q     <= is_drain && beyond(38'(total0_q), ob_room_q);
    rb_over_q     <= is_drain && second
                     && beyond(layer_q.broadcast ? 38'(piece.blocks) : 38'(total0_q), rb_room_q);
    pb_over_q     <= is_drain && layer_q.per_channel
                     && (over1_q || beyond(38'(total1_q), pb_room_q));
  end

  logic   bad_opcode, bad_range, faulty;
  error_e fault;
  assign bad_opcode = unknown_q || bad_load_q || bad_compute_q || bad_drain_q;
  assign bad_range  = none0_q || none1_q || ragged_q || empty_tile_q || dma_over_q || ib_over_q || ab_over_q || ob_over_q
                      || rb_over_q || pb_over_q;
  assign faulty     = bad_opcode || stranger_q || foreign_q || bad_range || misaligned_q;
  always_comb begin
    fault = ErrNone;
    if (bad_opcode) fault = ErrOpcode;
    else if (stranger_q || foreign_q) fault = ErrImage;
    else if (bad_range) fault = ErrRange;
    else if (misaligned_q) fault = ErrAlign;
  end

  // ---- Push ----
  logic push, room;
  assign room = !(for_q[UnitLoad] && load_full_i) && !(for_q[UnitCompute] && compute_full_i)
                && !(for_q[UnitDrain] && drain_full_i) && !(for_q[UnitStore] && store_full_i);
  assign push           = state_q == Push && !faulty && room && !bus_error_i;
  assign load_push_o    = (push && for_q[UnitLoad]) || state_q == First;
  assign compute_push_o = push && for_q[UnitCompute];
  assign drain_push_o   = push && for_q[UnitDrain];
  assign store_push_o   = push && for_q[UnitStore];
  assign compute_o      = comp;
  assign drain_o        = drain;
  always_comb begin
    store_o      = dma;
    store_o.addr = addr_q;
  end
  assign store_words_o  = 21'(total0_q);

  always_comb begin
    token_o = '{tag: layer_q.tag, signal: desc_q.signal, wait_for: desc_q.wait_for, mark: desc_q.mark};
    load_o  = dma;
    load_o.addr = addr_q;
    if (state_q == First) begin
      token_o = '0;
      load_o  = '{addr: bases_i[RegProgram], stride1: '0, stride2: '0, count0: 20'(Chunk), count1: 16'd1, count2: 16'd1,
                  base: '0, target: BufProgram};
    end
  end

  assign running_o     = state_q != Idle;
  assign clear_o       = state_q == Idle && start_i;
  assign flush_o       = state_q == Abort;
  // The response that ends the last command may be its error: never done first.
  assign done_o        = (state_q == Finish || state_q == Abort) && idle_i && !bus_error_i;
  assign error_o       = error_q;
  assign error_index_o = error_index_q;
  assign error_addr_o  = error_addr_q;
  assign index_o       = state_q == First ? '1 : pc_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q  <= Idle;
      pc_q     <= '0;
      chunks_q <= '0;
      error_q  <= ErrNone;
      error_index_q <= '0;
      error_addr_q  <= '0;
    end else begin
      if (clear_o) chunks_q <= '0;
      else chunks_q <= chunks_q + 2'(chunk_ready_i) - 2'(pm_re && boundary);

      unique case (state_q)
        Idle: if (start_i) begin
          state_q <= First;
          pc_q    <= '0;
          error_q <= ErrNone;
          error_index_q <= '0;
          error_addr_q  <= '0;
        end
        First:    state_q <= Fetch;
        Fetch:    if (pm_re) state_q <= Decode;
        Decode:   state_q <= Operands;
        Operands: state_q <= Multiply;
        Multiply: state_q <= Scale;
        Scale:    state_q <= Check;
        Check:    state_q <= Push;
        Push: begin
          if (faulty) begin
            error_q <= fault;
            error_index_q <= pc_q;
            state_q <= Abort;
          end else if (end_q) begin
            state_q <= Finish;
          end else if (room) begin
            pc_q    <= pc_q + 32'd1;
            state_q <= Fetch;
          end
        end
        Finish, Abort: if (done_o) state_q <= Idle;
        default:  state_q <= Idle;
      endcase

      if (bus_error_i && state_q != Idle && state_q != Abort) begin
        error_q <= ErrBus;
        error_index_q <= bus_index_i;
        error_addr_q  <= bus_addr_i;
        state_q <= Abort;
      end else if (abort_i && state_q != Idle && state_q != Abort && !done_o) begin
        error_q <= abort_code_i;
        error_index_q <= pc_q;
        state_q <= Abort;
      end
    end
  end

endmodule
