// Reads the weights of the next pass into the filter spads: for each row of PEs, one word for each tap.
//
// load_i in the cycle in which the first word is to be read.
module cd_row_weights #(
  parameter  int unsigned Rows = 16,
  parameter  int unsigned Taps = 4,
  parameter  int unsigned WbAw = 12,
  localparam int unsigned RowW = $clog2(Rows),
  localparam int unsigned TapW = $clog2(Taps)
) (
  input  logic            clk_i,
  input  logic            rst_ni,
  input  logic            load_i,
  input  logic            restart_i,   // with load_i: from the tile's first word
  input  logic [TapW-1:0] tap_last_i,  // with load_i: taps, less one
  input  logic [WbAw-1:0] base_i,
  output logic            loading_o,   // words follow after this cycle
  output logic            wb_req_o,
  output logic [WbAw-1:0] wb_addr_o,
  // With the data: three cycles after wb_req_o, which goes through a register, the memory and its register.
  output logic            we_o,
  output logic            bank_o,
  output logic [RowW-1:0] row_o,
  output logic [TapW-1:0] tap_o
);

  typedef struct packed {
    logic            we, bank;
    logic [RowW-1:0] row;
    logic [TapW-1:0] tap;
  } word_t;

  word_t           word;
  word_t [2:0]     word_q;
  logic            run_q, bank_q;
  logic            end_q;              // the next word is the last
  logic [RowW-1:0] row_q, row, row_d;
  logic [TapW-1:0] tap_q, tap, tap_d, tap_last_q, tap_last;
  logic [WbAw-1:0] ptr_q;

  assign row       = load_i ? '0 : row_q;
  assign tap       = load_i ? '0 : tap_q;
  assign tap_last  = load_i ? tap_last_i : tap_last_q;
  assign wb_req_o  = load_i || run_q;
  assign wb_addr_o = (load_i && restart_i) ? base_i : ptr_q;
  assign loading_o = load_i || (run_q && !end_q);
  assign tap_d     = tap == tap_last ? '0 : tap + 1'b1;
  assign row_d     = tap == tap_last ? row + 1'b1 : row;
  assign word      = '{we: wb_req_o, bank: load_i ? !bank_q : bank_q, row: row, tap: tap};
  assign we_o      = word_q[2].we;
  assign bank_o    = word_q[2].bank;
  assign row_o     = word_q[2].row;
  assign tap_o     = word_q[2].tap;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q      <= 1'b0;
      word_q     <= '0;
      bank_q     <= 1'b1;
      end_q      <= 1'b0;
      row_q      <= '0;
      tap_q      <= '0;
      tap_last_q <= '0;
      ptr_q      <= '0;
    end else begin
      word_q <= {word_q[1:0], word};
      if (load_i) begin
        bank_q     <= !bank_q;
        tap_last_q <= tap_last_i;
      end
      if (wb_req_o) begin
        run_q <= loading_o;
        ptr_q <= wb_addr_o + 1'b1;
        tap_q <= tap_d;
        row_q <= row_d;
        end_q <= row_d == RowW'(Rows - 1) && tap_d == tap_last;
      end
    end
  end

endmodule
