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
  // With the data.
  output logic            we_o,
  output logic            bank_o,
  output logic [RowW-1:0] row_o,
  output logic [TapW-1:0] tap_o
);

  logic            run_q, we_q, bank_q, we_bank_q;
  logic [RowW-1:0] row_q, row, we_row_q;
  logic [TapW-1:0] tap_q, tap, we_tap_q, tap_last_q, tap_last;
  logic [WbAw-1:0] ptr_q;

  assign row       = load_i ? '0 : row_q;
  assign tap       = load_i ? '0 : tap_q;
  assign tap_last  = load_i ? tap_last_i : tap_last_q;
  assign wb_req_o  = load_i || run_q;
  assign wb_addr_o = (load_i && restart_i) ? base_i : ptr_q;
  assign loading_o = wb_req_o && !(row == RowW'(Rows - 1) && tap == tap_last);
  assign we_o      = we_q;
  assign bank_o    = we_bank_q;
  assign row_o     = we_row_q;
  assign tap_o     = we_tap_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      run_q      <= 1'b0;
      we_q       <= 1'b0;
      bank_q     <= 1'b1;
      we_bank_q  <= 1'b0;
      row_q      <= '0;
      we_row_q   <= '0;
      tap_q      <= '0;
      we_tap_q   <= '0;
      tap_last_q <= '0;
      ptr_q      <= '0;
    end else begin
      we_q      <= wb_req_o;
      we_row_q  <= row;
      we_tap_q  <= tap;
      we_bank_q <= load_i ? !bank_q : bank_q;
      if (load_i) begin
        bank_q     <= !bank_q;
        tap_last_q <= tap_last_i;
      end
      if (wb_req_o) begin
        run_q <= loading_o;
        ptr_q <= wb_addr_o + 1'b1;
        tap_q <= tap == tap_last ? '0 : tap + 1'b1;
        row_q <= tap == tap_last ? row + 1'b1 : row;
      end
    end
  end

endmodule
