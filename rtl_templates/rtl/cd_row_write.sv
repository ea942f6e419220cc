// Writes the sums of a step out of the row-stationary array: one accumulator word for each output row.
//
// valid_i is a step's last cycle; its last sum is in the collection registers Stages cycles later.
module cd_row_write #(
  parameter  int unsigned Lanes  = 16,
  parameter  int unsigned Cols   = 16,
  parameter  int unsigned AccW   = 32,
  parameter  int unsigned AbAw   = 12,
  parameter  int unsigned Stages = 8,
  localparam int unsigned ColW   = $clog2(Cols),
  localparam int unsigned KSubW  = Lanes > Cols ? $clog2(Lanes / Cols) : 1
) (
  input  logic                                clk_i,
  input  logic                                rst_ni,
  // The step.
  input  logic                                valid_i,
  input  logic                                half_i,          // of the collection registers
  input  logic                                tile_last_i,
  input  logic                                first_i,         // overwrites the accumulators
  input  logic [ColW-1:0]                     channel_last_i,  // output channels, less one
  input  logic [ColW-1:0]                     row_last_i,      // output rows, less one
  input  logic [ColW-1:0]                     fold_mask_i,     // columns of a fold, less one
  input  logic [KSubW-1:0]                    k_sub_i,
  input  logic [AbAw-1:0]                     addr_i,          // of the first output row
  input  logic [AbAw-1:0]                     row_words_i,     // from one output row to the next
  // The sums: by column, by output channel.
  output logic                                read_half_o,
  input  logic [Cols-1:0][Cols-1:0][AccW-1:0] words_i,
  output logic                                acc_valid_o,
  output logic                                acc_first_o,
  output logic [AbAw-1:0]                     acc_addr_o,
  output logic [Lanes-1:0]                    acc_mask_o,
  output logic [Lanes-1:0][AccW-1:0]          acc_data_o,
  output logic                                done_o
);

  typedef struct packed {
    logic             valid, half, tile_last, first;
    logic [ColW-1:0]  channel_last, row_last, fold_mask;
    logic [KSubW-1:0] k_sub;
  } step_t;

  step_t           step, step_q[Stages], now_q;
  logic [AbAw-1:0] addr_q[Stages];
  logic            last;
  logic [ColW-1:0] row_q;
  logic [AbAw-1:0] write_addr_q;

  assign step = '{
      valid:        valid_i,
      half:         half_i,
      tile_last:    tile_last_i,
      first:        first_i,
      channel_last: channel_last_i,
      row_last:     row_last_i,
      fold_mask:    fold_mask_i,
      k_sub:        k_sub_i
  };
  assign last = row_q == now_q.row_last;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      for (int unsigned n = 0; n < Stages; n++) begin
        step_q[n] <= '0;
        addr_q[n] <= '0;
      end
      now_q        <= '0;
      row_q        <= '0;
      write_addr_q <= '0;
    end else begin
      step_q[0] <= step;
      addr_q[0] <= addr_i;
      for (int unsigned n = 1; n < Stages; n++) begin
        step_q[n] <= step_q[n-1];
        addr_q[n] <= addr_q[n-1];
      end
      if (step_q[Stages-1].valid) begin
        now_q        <= step_q[Stages-1];
        row_q        <= '0;
        write_addr_q <= addr_q[Stages-1];
      end else if (now_q.valid) begin
        now_q.valid  <= !last;
        row_q        <= row_q + 1'b1;
        write_addr_q <= write_addr_q + row_words_i;
      end
    end
  end

  logic [Cols-1:0][AccW-1:0] word;

  always_comb begin
    // A channel's sum is in its fold of the columns. Channels beyond the tile's are zeros, as their weights are.
    for (int unsigned m = 0; m < Cols; m++) begin
      word[m] = words_i[(ColW'(m) & ~now_q.fold_mask) | row_q][m];
      if (ColW'(m) > now_q.channel_last) word[m] = '0;
    end
  end

  assign read_half_o = now_q.half;
  assign acc_valid_o = now_q.valid;
  assign acc_first_o = now_q.first;
  assign acc_addr_o  = write_addr_q;
  assign acc_data_o  = {(Lanes / Cols) {word}};
  assign done_o      = now_q.valid && last && now_q.tile_last;

  cd_lane_mask #(
    .Lanes(Lanes),
    .Cols (Cols)
  ) u_mask (
    .sub_i (now_q.k_sub),
    .pair_i(1'b0),
    .mask_o(acc_mask_o)
  );

endmodule
